// SPDX-License-Identifier: Apache-2.0
// A ballastd of the running test: its policy, directories, pins and cgroup are its own. Its log is
// shown when the test fails.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/harness/cgroup.h"
#include "tests/harness/process.h"
#include "tests/harness/sockets.h"

namespace ballast::test {

using Json = nlohmann::json;

struct BallastdOptions {
    std::string cgroup = {};    ///< what it is confined to; empty: a new cgroup, joined
    std::string bpffs = {};     ///< directory for pins; empty: a new one
    int mount_namespace = -1;   ///< of daemon and CLI
    int network_namespace = -1; ///< likewise
    std::vector<std::string> arguments = {}; ///< more of them
};

class Ballastd {
public:
    /// Prepares everything but starts nothing.
    explicit Ballastd(const std::string& policy, BallastdOptions options = {});
    ~Ballastd();
    Ballastd(const Ballastd&) = delete;
    Ballastd& operator=(const Ballastd&) = delete;

    /// Starts it and waits for READY=1; the test fails if that does not come.
    Ballastd& start();
    /// Starts it for a failure: waits for its end and returns the exit status.
    int start_to_fail();
    /// SIGTERM; the test fails unless it exits with 0. Pins stay.
    void stop();
    /// SIGKILL.
    void crash();
    /// Waits for the daemon to end by itself; its exit status.
    int wait_exit();
    [[nodiscard]] bool running() const { return process_.running(); }
    /// Sends it a signal; the test fails when it does not run.
    void signal(int number) const;

    /// Replaces the policy file's text by rename, as editors do; inotify's business.
    void write_policy(const std::string& text);
    /// Writes DIR/NAME next to the policy file, where drop-ins live.
    void write_dropin(const std::string& name, const std::string& text);
    void remove_dropin(const std::string& name);

    /// Runs `ballast WORDS... --runtime-dir --bpffs` of this daemon.
    Outcome cli(std::vector<std::string> words);
    /// Runs `ballast WORDS... --json`, which has to succeed, and parses its stdout.
    Json json(std::vector<std::string> words);

    /// GET over query.sock, which has to succeed.
    Json get(const std::string& target);
    Json status() { return get("/v1/status"); }
    /// Whether a service of that name is in force.
    bool has_service(const std::string& name);
    /// The rows of a destination's health: one for each service that governed it.
    std::vector<Json> rows(const Dest& dest);
    /// The row of that service; a null when there is none.
    Json row(const Dest& dest, const std::string& service);
    /// A counter, summed over the rows.
    long value(const Dest& dest, const std::string& key);
    long in_use(const Dest& dest) { return value(dest, "in_use"); }

    /// Has a sweep made that begins after this call, and returns when it is done. It visits every
    /// namespace, for others' tests make many.
    void sweep();
    /// The same as the daemon makes it by itself.
    void sweep_paced();
    /// `holds`, with a sweep made before it each second: on a host with many namespaces the daemon
    /// itself sweeps seldom.
    std::function<bool()> sweeping(std::function<bool()> holds);
    /// Has the policy file put in force.
    void reload();
    /// Replaces the policy, has it put in force, and sweeps.
    void enforce(const std::string& policy_text);

    [[nodiscard]] std::string log() const;
    [[nodiscard]] const std::string& cgroup() const { return options_.cgroup; }
    /// The cgroup that it made for itself; nothing when it was given one.
    [[nodiscard]] Cgroup* own_cgroup() const { return own_cgroup_; }
    [[nodiscard]] const std::string& bpffs() const { return options_.bpffs; }
    [[nodiscard]] std::string policy_file() const { return directory_ + "/policy.toml"; }
    [[nodiscard]] std::string runtime_dir() const { return directory_ + "/run"; }
    [[nodiscard]] std::string state_dir() const { return directory_ + "/state"; }

private:
    [[nodiscard]] Command command() const;
    std::string ask(const std::string& socket, const std::string& method,
                    const std::string& target);
    void launch();
    void open_notify_socket();
    bool take_ready() const;

    BallastdOptions options_;
    Cgroup* own_cgroup_ = nullptr;
    std::string directory_;
    Process process_;
    Fd notify_;
    int log_parts_ = 0;
};

/// A ballastd with a cgroup of its own, started with `policy`.
Ballastd& start_ballastd(const std::string& policy);

} // namespace ballast::test
