// SPDX-License-Identifier: Apache-2.0
// Promise: `ballast discover` finds the idle timeout of a real firewall to 15% of it, within 2.5
// times that, without sending a byte of payload; and says what keeps it from doing so.
//
// The measurements run at once, begun before the first case.
#include <csignal>
#include <cstdlib>
#include <map>
#include <poll.h>

#include "tests/e2e/scene.h"
#include "tests/harness/firewall.h"
#include "tests/harness/group.h"
#include "tests/harness/sandbox.h"

namespace test_discover {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr std::chrono::seconds timeout{5};
constexpr long timeout_ms = 5'000;

enum Port : std::uint16_t {
    dropping = 7000,
    resetting = 7001,
    closing = 7002,  ///< the server closes connections after server_closes
    refusing = 7003, ///< at once
    full = 7004,     ///< one place left under Ballast's limit
    limited = 7005,  ///< ten places
    interrupted = 7006,
    hidden = 7007, ///< no place left, and the daemon is not asked
    nobody = 7999,
};

constexpr std::chrono::milliseconds server_closes{3'000};

const std::string limits = R"(
[daemon]
sweep_interval = "1s"
[[service]]
name = "full"
to = ["10.92.0.1:7004"]
max_connections = 3
mode = "enforce"
[[service]]
name = "limited"
to = ["10.92.0.1:7005"]
max_connections = 10
mode = "enforce"
[[service]]
name = "hidden"
to = ["10.92.0.1:7007"]
max_connections = 1
mode = "enforce"
)";

/// A `ballast discover` that runs.
class Measuring {
public:
    Measuring(const Firewall& path, const Ballastd& ballastd, const std::string& target,
              std::vector<std::string> words, const std::string& runtime_dir = {}) {
        std::vector<std::string> argv{"sh",
                                      "-c",
                                      fmt::format("exec \"$@\" >{0}/out 2>{0}/err", directory_),
                                      "sh",
                                      staged_binary("ballast"),
                                      "discover",
                                      target,
                                      "--runtime-dir",
                                      runtime_dir.empty() ? ballastd.runtime_dir() : runtime_dir};
        argv.insert(argv.end(), words.begin(), words.end());
        process_.start({.argv = argv, .network_namespace = path.client.fd()});
        Registry::current().on_failure(
            [this] { note(fmt::format("{} printed:\n{}{}", directory_, out(), err())); });
    }

    [[nodiscard]] std::string out() const { return read_file(directory_ + "/out"); }
    [[nodiscard]] std::string err() const { return read_file(directory_ + "/err"); }
    void interrupt() const { process_.signal(SIGINT); }
    void check_exit(int wanted, Where where = Where::current()) {
        check_equal(process_.wait(patience(std::chrono::seconds(40))).value_or(-1), wanted,
                    "exit status", where);
    }
    void check_says(const std::string& where_it, const std::string& text,
                    Where where = Where::current()) const {
        check(where_it.find(text) != std::string::npos,
              fmt::format("\"{}\" is in: {}", text, where_it), where);
    }

private:
    std::string directory_ = make_temp_dir();
    Process process_;
};

/// Closes what `closing` accepts after server_closes, and what `refusing` accepts at once.
int serve_briefly(const Listener& late, const Listener& soon) {
    std::multimap<Clock::time_point, Fd> open;
    for (;;) {
        pollfd entries[] = {{late.socket().get(), POLLIN, 0}, {soon.socket().get(), POLLIN, 0}};
        const int wait = open.empty() ? -1 : left_ms(open.begin()->first);
        if (::poll(entries, 2, wait) < 0)
            return 1;
        if (entries[0].revents != 0)
            open.emplace(Clock::now() + server_closes,
                         Fd(::accept4(late.socket().get(), nullptr, nullptr, SOCK_CLOEXEC)));
        if (entries[1].revents != 0)
            Fd(::accept4(soon.socket().get(), nullptr, nullptr, SOCK_CLOEXEC)).reset();
        open.erase(open.begin(), open.upper_bound(Clock::now()));
    }
}

struct Bench {
    Firewall path;
    Ballastd& ballastd;
    std::map<std::string, Listener*> listeners = {};
    std::map<std::string, Measuring*> running = {};
};
Bench* bench = nullptr;

Dest v4(std::uint16_t port) {
    return {Firewall::server_v4, port};
}

void listen(const Dest& dest) {
    bench->listeners[dest.text()] = &make<Listener>(bench->path.server, dest);
}

void begin(const std::string& name, const Dest& dest, std::vector<std::string> words,
           const std::string& runtime_dir = {}) {
    bench->running[name] =
        &make<Measuring>(bench->path, bench->ballastd, dest.text(), std::move(words), runtime_dir);
}

Measuring& running(const std::string& name) {
    return *bench->running.at(name);
}

bool on_host() {
    return std::getenv("BALLAST_VM") == nullptr;
}

void begin_all() {
    bench = &make<Bench>(
        Bench{make_firewall({.timeout = timeout, .resets = {resetting}}), start_ballastd(limits)});
    for (const auto port :
         {dropping, resetting, closing, refusing, full, limited, interrupted, hidden})
        listen(v4(port));
    const Dest v6{Firewall::server_v6, dropping};
    listen(v6);
    make<Process>().fork([] {
        return serve_briefly(*bench->listeners.at(v4(closing).text()),
                             *bench->listeners.at(v4(refusing).text()));
    });
    open_connections(bench->path.client, v4(full), 2);
    open_connections(bench->path.client, v4(hidden), 1);
    await_in_use(bench->ballastd, v4(full), 2);
    // Finer than what is checked: the measurements share a busy machine, maybe an emulated one, and
    // a probe that leaves late widens the bracket.
    const std::vector<std::string> finely{"--json", "--resolution", on_host() ? "12" : "10"};
    begin("dropped", v4(dropping), finely);
    begin("dropped, IPv6", v6, finely);
    begin("reset", v4(resetting), finely);
    begin("interrupted", v4(interrupted), {});
    begin("closing", v4(closing), {"--json"});
    begin("refusing", v4(refusing), {});
    begin("full", v4(full), {});
    begin("limited", v4(limited), {"--json", "--max", "3s"});
    begin("hidden", v4(hidden), {}, make_temp_dir());
    begin("nobody", v4(nobody), {});
}

void stops_on_interrupt() {
    Measuring& measuring = running("interrupted");
    await([&] { return measuring.err().find("survived 2") != std::string::npos; },
          "progress is shown");
    measuring.interrupt();
    measuring.check_exit(130);
    measuring.check_says(measuring.out(), "stopped early: connections survived 2");
    await([] { return ss_served(bench->path.server.fd(), v4(interrupted), "ESTAB") == 0; },
          "the server sees the connections closed");
}

void refuses_beyond_the_limit() {
    Measuring& measuring = running("full");
    measuring.check_exit(1);
    measuring.check_says(measuring.err(),
                         "max_connections of full allows 3 connections to "
                         "10.92.0.1:7004 and 2 are in use: measuring needs 2 more");
    check_equal(bench->ballastd.value(v4(full), "admitted"), 2, "connections admitted");
}

void leaves_half_of_what_is_free() {
    Measuring& measuring = running("limited");
    measuring.check_exit(0);
    measuring.check_says(measuring.err(), "at most 5 open: half of the 10");
    const auto result = Json::parse(measuring.out());
    check_equal(result.at("outcome").get<std::string>(), "none_up_to_max", "outcome");
    check_equal(result.at("connections").get<int>(), 5, "connections");
    check(result.at("survived_ms").get<long>() >= 3'000, "3 s survived");
    check_equal(bench->ballastd.value(v4(limited), "refused"), 0, "refused");
    measuring.check_says(measuring.err(), "kept by ballastd");
    check(bench->ballastd.value(v4(limited), "idle_survived_ms") > 2'900, "the daemon knows");
}

void names_a_refusal() {
    Measuring& measuring = running("hidden");
    measuring.check_exit(1);
    measuring.check_says(measuring.err(), "connect to 10.92.0.1:7007: Connection refused");
    measuring.check_says(measuring.err(), "limit of Ballast");
    running("nobody").check_exit(1);
    running("nobody").check_says(running("nobody").err(), "Connection refused");
}

void names_a_server_that_closes() {
    Measuring& measuring = running("closing");
    measuring.check_exit(0);
    const auto result = Json::parse(measuring.out());
    check_equal(result.at("outcome").get<std::string>(), "peer_closes", "outcome");
    const long after = result.at("closes_after_ms").get<long>();
    check(std::abs(after - server_closes.count()) < 300, fmt::format("closes after {} ms", after));
    check(result.at("died_ms").is_null(), "nothing died");
    running("refusing").check_exit(1);
    running("refusing").check_says(running("refusing").err(), "10.92.0.1:7003 closes connections");
    running("refusing").check_says(running("refusing").err(), "nothing can be measured with it");
    running("refusing").check_says(running("refusing").out(), "11 connections, at most 12");
}

struct Kind {
    const char* name;
    const char* death;
};
constexpr Kind kinds[] = {
    {"dropped", "silently_dropped"}, {"dropped, IPv6", "silently_dropped"}, {"reset", "reset"}};

void finds_the_timeout(const Kind& kind) {
    Measuring& measuring = running(kind.name);
    measuring.check_exit(0);
    const auto result = Json::parse(measuring.out());
    check_equal(result.at("outcome").get<std::string>(), "bracketed", "outcome");
    check_equal(result.at("death").get<std::string>(), kind.death, "how they died");
    const long survived = result.at("survived_ms").get<long>();
    const long died = result.at("died_ms").get<long>();
    const long elapsed = result.at("elapsed_ms").get<long>();
    note(fmt::format("{}: {} to {} ms, in {} ms", kind.name, survived, died, elapsed));
    check(survived <= timeout_ms && timeout_ms <= died,
          fmt::format("{} ms is within {} to {}", timeout_ms, survived, died));
    check((died - survived) * 100 <= timeout_ms * 15, "no wider than 15%");
    check(elapsed * 2 <= timeout_ms * 5, fmt::format("{} ms is at most 2.5 times", elapsed));
}

/// Runs after those that used it.
void no_payload_was_sent() {
    const Listener& listener = *bench->listeners.at(v4(dropping).text());
    int seen = 0;
    for (;; ++seen) {
        const Fd accepted(
            ::accept4(listener.socket().get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        pollfd entry{listener.socket().get(), POLLIN, 0};
        char byte = 0;
        check(::recv(accepted.get(), &byte, 1, 0) <= 0, "nothing was sent");
        if (::poll(&entry, 1, 0) == 0)
            break;
    }
    check(seen > 10, "the connections were there");
}

} // namespace

TEST_GROUP(discover) {
    return Suite()
        .shared(begin_all)
        .add("stops cleanly on Ctrl-C", stops_on_interrupt)
        .add("opens no more than the limit allows", refuses_beyond_the_limit)
        .add("leaves half of what is free", leaves_half_of_what_is_free)
        .add("names a refusal", names_a_refusal)
        .add("names a server that closes by itself", names_a_server_that_closes)
        .each(kinds, "finds the timeout", finds_the_timeout)
        .add("sends no payload", no_payload_was_sent)
        .run("discover");
}

} // namespace test_discover
