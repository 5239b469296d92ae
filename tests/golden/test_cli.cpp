// SPDX-License-Identifier: Apache-2.0
// The real `ballast` against the real API server with fixed data: what it prints, on which stream,
// and what it exits with.
#include <array>
#include <map>
#include <optional>

#include <sys/socket.h>
#include <unistd.h>

#include "daemon/api/peer.h"
#include "tests/api/fake_daemon.h"
#include "tests/golden/golden.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/registry.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/suite.h"

namespace test_cli {

namespace {

using namespace ballast::test;

struct Row {
    std::string name;           ///< of the case and of its file
    std::optional<Scene> scene; ///< none: no daemon runs
    std::vector<std::string> words;
};

const std::vector<Row> kRows{
    {"status", Scene::calm, {"status"}},
    {"status-night", Scene::night, {"status"}},
    {"status-disarmed", Scene::disarmed, {"status"}},
    {"status-dry-run", Scene::dry_run, {"status"}},
    {"status-json", Scene::night, {"status", "--json"}},
    {"status-broken", Scene::broken, {"status"}},
    {"health", Scene::calm, {"health"}},
    {"health-night", Scene::night, {"health"}},
    {"health-limited", Scene::night, {"health", "--limit", "3"}},
    {"health-disarmed", Scene::disarmed, {"health"}},
    {"health-destination", Scene::night, {"health", "10.0.0.5:5432"}},
    {"health-service", Scene::night, {"health", "search"}},
    {"health-json", Scene::night, {"health", "10.0.0.0/24", "--json"}},
    {"health-unknown", Scene::night, {"health", "no-such-service"}},
    {"health-empty", Scene::empty, {"health"}},
    {"events", Scene::night, {"events"}},
    {"events-destination", Scene::night, {"events", "192.0.2.0/24"}},
    {"events-reason", Scene::night, {"events", "--reason", "half_open_flow"}},
    {"events-since", Scene::night, {"events", "--since", "1042"}},
    {"events-since-time", Scene::night, {"events", "--since", "2024-05-01T06:57:30+02:00"}},
    {"events-limited", Scene::night, {"events", "--limit", "1"}},
    {"events-json", Scene::night, {"events", "--limit", "2", "--json"}},
    {"events-empty", Scene::calm, {"events"}},
    {"events-bad-since", Scene::night, {"events", "--since", "yesterday"}},
    {"events-bad-reason", Scene::night, {"events", "--reason", "bad_luck"}},
    {"events-bad-destination", Scene::night, {"events", "orders-db"}},
    {"events-broken", Scene::broken, {"events", "--follow"}},
    {"flows", Scene::night, {"flows"}},
    {"flows-filtered", Scene::night, {"flows", "dest=10.0.0.5", "state=established"}},
    {"flows-json", Scene::night, {"flows", "--limit", "2", "--json"}},
    {"flows-bad-key", Scene::night, {"flows", "colour=red"}},
    {"flows-bad-value", Scene::night, {"flows", "dest=orders-db"}},
    {"flows-no-value", Scene::night, {"flows", "orders-db"}},
    {"flows-broken", Scene::broken, {"flows"}},
    {"ports", Scene::night, {"ports"}},
    {"ports-destination", Scene::night, {"ports", "10.0.0.7"}},
    {"ports-json", Scene::night, {"ports", "--limit", "1", "--json"}},
    {"ports-calm", Scene::calm, {"ports"}},
    {"ports-empty", Scene::empty, {"ports"}},
    {"ports-unknown", Scene::night, {"ports", "203.0.113.9"}},
    {"ports-bad", Scene::night, {"ports", "orders-db"}},
    {"listeners", Scene::night, {"listeners"}},
    {"listeners-local", Scene::night, {"listeners", "10.0.0.2"}},
    {"listeners-json", Scene::night, {"listeners", "--limit", "1", "--json"}},
    {"listeners-calm", Scene::calm, {"listeners"}},
    {"listeners-empty", Scene::empty, {"listeners"}},
    {"listeners-unknown", Scene::night, {"listeners", "203.0.113.9"}},
    {"listeners-bad", Scene::night, {"listeners", "orders-db"}},
    {"limit-list", Scene::night, {"limit", "list"}},
    {"limit-list-limited", Scene::night, {"limit", "list", "--limit", "2"}},
    {"limit-list-json", Scene::night, {"limit", "list", "--json"}},
    {"limit-list-empty", Scene::empty, {"limit", "list"}},
    {"limit-set-unknown", Scene::night, {"limit", "set", "no-such-service", "--max", "5"}},
    {"limit-set-nothing", Scene::night, {"limit", "set", "cache"}},
    {"limit-set-range", Scene::night, {"limit", "set", "cache", "--max", "0"}},
    {"limit-set-for", Scene::night, {"limit", "set", "cache", "--max", "5", "--for", "367d"}},
    {"limit-set-contradiction",
     Scene::night,
     {"limit", "set", "cache", "--max", "5", "--total", "4"}},
    {"limit-set-help", std::nullopt, {"limit", "set", "--help"}},
    {"limit-explain", Scene::night, {"limit", "explain", "10.0.0.5:5432"}},
    {"limit-explain-from",
     Scene::night,
     {"limit", "explain", "10.0.0.77:5432", "--from", "batch-night.service"}},
    {"limit-explain-path",
     Scene::night,
     {"limit", "explain", "10.0.0.77:5432", "--from", "/sys/fs/cgroup/user.slice/"}},
    {"limit-explain-name", Scene::night, {"limit", "explain", "10.0.9.4:5432"}},
    {"limit-explain-limited", Scene::night, {"limit", "explain", "10.0.0.5:5432", "--limit", "1"}},
    {"limit-explain-json",
     Scene::night,
     {"limit", "explain", "10.0.0.5:5432", "--from", "/system.slice/report.service", "--json"}},
    {"limit-explain-nobody", Scene::night, {"limit", "explain", "203.0.113.9:80"}},
    {"limit-explain-bad", Scene::night, {"limit", "explain", "orders-db"}},
    {"limit-explain-broken", Scene::broken, {"limit", "explain", "10.0.0.5:5432"}},
    {"breaker-list", Scene::night, {"breaker", "list"}},
    {"breaker-list-limited", Scene::night, {"breaker", "list", "--limit", "1"}},
    {"breaker-list-destination", Scene::night, {"breaker", "list", "10.0.0.0/24"}},
    {"breaker-list-service", Scene::night, {"breaker", "list", "search"}},
    {"breaker-list-json", Scene::night, {"breaker", "list", "orders-db", "--json"}},
    {"breaker-list-unknown", Scene::night, {"breaker", "list", "no-such-service"}},
    {"breaker-list-empty", Scene::empty, {"breaker", "list"}},
    {"breaker-list-broken", Scene::broken, {"breaker", "list"}},
    {"breaker-auto-again", Scene::night, {"breaker", "auto", "192.0.2.10:443"}},
    {"breaker-open-unknown", Scene::night, {"breaker", "open", "203.0.113.9:80"}},
    {"breaker-open-bad", Scene::night, {"breaker", "open", "payments"}},
    {"breaker-open-for", Scene::night, {"breaker", "open", "10.0.0.5:5432", "--for", "2 hours"}},
    {"breaker-open-reason",
     Scene::night,
     {"breaker", "open", "10.0.0.5:5432", "--reason", std::string(96, 'x')}},
    {"breaker-no-verb", std::nullopt, {"breaker"}},
    {"discover-full", Scene::night, {"discover", "10.0.0.5:5432"}},
    {"discover-no-port", std::nullopt, {"discover", "db.internal"}},
    {"discover-max", std::nullopt, {"discover", "10.0.0.5:5432", "--max", "2 minutes"}},
    {"discover-resolution", std::nullopt, {"discover", "10.0.0.5:5432", "--resolution", "1"}},
    {"discover-help", std::nullopt, {"discover", "--help"}},
    {"limit-unset", Scene::night, {"limit", "unset", "orders-db"}},
    {"limit-unset-unknown", Scene::night, {"limit", "unset", "cache"}},
    {"limit-unset-json", Scene::night, {"limit", "unset", "orders-db", "--json"}},
    {"complete-services", Scene::night, {"complete", "services"}},
    {"complete-destinations", Scene::night, {"complete", "destinations"}},
    {"complete-targets", Scene::night, {"complete", "targets"}},
    {"complete-broken", Scene::broken, {"complete", "targets"}},
    {"complete-no-daemon", std::nullopt, {"complete", "targets"}},
    {"reload", Scene::calm, {"reload"}},
    {"reload-json", Scene::calm, {"reload", "--json"}},
    {"reload-refused", Scene::night, {"reload"}},
    {"no-daemon", std::nullopt, {"health"}},
    {"no-daemon-write", std::nullopt, {"reload"}},
    {"unload-nothing", std::nullopt, {"unload"}},
    {"unload-nothing-json", std::nullopt, {"unload", "--json"}},
    {"unknown-verb", std::nullopt, {"frobnicate"}},
    {"no-verb", std::nullopt, {}},
    {"help", std::nullopt, {"--help"}},
    {"version", std::nullopt, {"--version"}},
};

/// The directories of this run as the documentation has them.
std::string normalised(std::string text, const std::string& runtime_dir, const std::string& bpffs) {
    for (const auto& [from, to] : std::map<std::string, std::string>{
             {runtime_dir, "/run/ballast"}, {bpffs, "/sys/fs/bpf/ballast"}})
        for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at))
            text.replace(at, from.size(), to);
    return text;
}

/// "$ ballast WORDS", standard output, "[stderr]" and what it says, "[exit N]".
std::string transcript(const std::vector<std::string>& words, const std::string& runtime_dir) {
    const std::string bpffs = make_temp_dir() + "/none";
    Command command{
        .argv = {staged_binary("ballast")},
        .environment = {"BALLAST_RUNTIME_DIR=" + runtime_dir, "BALLAST_BPFFS=" + bpffs}};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    const Outcome outcome = run(command);
    const std::string text =
        fmt::format("$ ballast {}\n{}{}{}[exit {}]\n", fmt::join(words, " "), outcome.out,
                    outcome.err.empty() ? "" : "[stderr]\n", outcome.err, outcome.status);
    return normalised(text, runtime_dir, bpffs);
}

void prints(const Row& row) {
    const std::string runtime_dir =
        row.scene ? make<FakeDaemon>(*row.scene).runtime_dir() : make_temp_dir();
    check_golden(row.name, transcript(row.words, runtime_dir));
}

/// `text` as if root had run the test.
std::string by_root(std::string text) {
    std::array<int, 2> ends{};
    need(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "socketpair");
    const std::string myself = ballast::api::peer_name(ends[0]);
    for (const int end : ends)
        ::close(end);
    const std::string root = "root (uid 0)";
    for (std::size_t at = text.find(myself); at != std::string::npos;
         at = text.find(myself, at + root.size()))
        text.replace(at, myself.size(), root);
    return text;
}

std::string transcripts(const FakeDaemon& daemon,
                        const std::vector<std::vector<std::string>>& commands) {
    std::string text;
    for (const auto& words : commands)
        text += transcript(words, daemon.runtime_dir());
    return text;
}

/// set_at is the scene's clock.
void sets_and_shows() {
    const auto text = transcripts(
        make<FakeDaemon>(Scene::calm),
        {{"limit", "set", "cache", "--max", "60", "--mode", "enforce"},
         {"limit", "set", "[2001:db8::5]:443", "--max", "8", "--on-limit", "unreachable"},
         {"limit", "list"},
         {"limit", "unset", "[2001:0db8::5]:443"}});
    check_golden("limit-set", by_root(text));
}

void sets_every_limit_for_a_time() {
    const auto text =
        transcripts(make<FakeDaemon>(Scene::calm),
                    {{"limit", "set", "shared-db", "--total", "60", "--per-consumer", "10",
                      "--rate", "50", "--burst", "80", "--for", "2h"},
                     {"limit", "set", "cache", "--rate", "20", "--for", "90s", "--json"}});
    check_golden("limit-set-all", by_root(text));
}

void forces_and_shows() {
    const auto text = transcripts(
        make<FakeDaemon>(Scene::night),
        {{"breaker", "open", "192.0.2.10:443", "--reason", "maintenance", "--for", "2h"},
         {"breaker", "close", "[2001:0db8::9]:9200"},
         {"breaker", "open", "10.0.0.8:8443"},
         {"breaker", "list"},
         {"breaker", "auto", "192.0.2.10:443"},
         {"breaker", "auto", "10.0.0.8:8443", "--json"}});
    check_golden("breaker-force", by_root(text));
}

void unload_stops_the_daemon() {
    auto& daemon = make<FakeDaemon>(Scene::calm);
    const pid_t pid = daemon.process().pid();
    std::string text = transcript({"unload"}, daemon.runtime_dir());
    const std::string shown = fmt::format("(pid {})", pid);
    check(text.find(shown) != std::string::npos, "it names the daemon: " + text);
    text.replace(text.find(shown), shown.size(), "(pid 4242)");
    check_golden("unload", text);
    check_equal(daemon.process().wait().value_or(-1), 0, "the daemon's exit status");
}

void dead_socket_is_no_daemon() {
    auto& daemon = make<FakeDaemon>(Scene::calm);
    daemon.process().kill();
    check_golden("dead-daemon", transcript({"status"}, daemon.runtime_dir()));
}

} // namespace

TEST_GROUP(cli) {
    Suite suite;
    suite.each(kRows, "prints", prints);
    suite.add("sets_and_shows", sets_and_shows);
    suite.add("sets_every_limit_for_a_time", sets_every_limit_for_a_time);
    suite.add("forces_and_shows", forces_and_shows);
    suite.add("unload_stops_the_daemon", unload_stops_the_daemon);
    suite.add("dead_socket_is_no_daemon", dead_socket_is_no_daemon);
    return suite.run("cli");
}

} // namespace test_cli
