// SPDX-License-Identifier: Apache-2.0
// Child processes that cannot outlive their owner: killed by the destructor, and by the kernel when
// the test process dies.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "daemon/util/fd.h"
#include "tests/harness/wait.h"

namespace ballast::test {

struct Command {
    std::vector<std::string> argv = {};
    std::vector<std::string> environment = {}; ///< "NAME=value", added to the test's own
    int network_namespace = -1;                ///< descriptor to enter first; -1: the test's own
    int mount_namespace = -1;                  ///< likewise
    std::string output = {};                   ///< file that stdout and stderr are appended to
};

class Process {
public:
    Process() = default;
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    /// Forks; the child runs `body` and ends with what it returns.
    void fork(const std::function<int()>& body);
    void start(const Command& command);

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Readable once the process has ended.
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }
    [[nodiscard]] bool running() const { return pid_ > 0; }

    void signal(int number) const;
    /// Exit status, or 128 + signal; nothing if it still runs at the end of `at_most`.
    std::optional<int> wait(std::chrono::milliseconds at_most = patience());
    /// SIGKILL, and reaps.
    void kill();

private:
    pid_t pid_ = -1;
    Fd pidfd_;
};

/// The result of a command that ended.
struct Outcome {
    int status = -1; ///< exit status, or 128 + signal
    std::string out;
    std::string err;
};

/// Runs a command to its end; the test fails when that takes longer than patience.
Outcome run(const Command& command);

/// Runs a command that has to succeed; returns its stdout.
std::string run_ok(const Command& command);

/// The whole file; empty if it cannot be read.
std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

} // namespace ballast::test
