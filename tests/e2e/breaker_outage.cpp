// SPDX-License-Identifier: Apache-2.0
// Promise: a breaker makes no outage longer than it is: it opens for none that is over, leaves the
// recovered what they used before, and takes nothing for a recovery that is none.
#include "tests/e2e/failing.h"
#include "tests/e2e/walled.h"
#include "tests/harness/group.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <thread>

#include <netinet/tcp.h>
#include <poll.h>

namespace test_breaker_outage {

using namespace ballast;
using namespace ballast::test;

namespace {

using std::chrono::milliseconds;

constexpr const char* calm_governor = "\n[governor]\nactions_per_minute = 10000\n"
                                      "resets_per_minute = 10000\n"
                                      "breaker_opens_per_minute = 10000\n"
                                      "observer_fault_ratio = 1.0\n";

Scene& scene_with(const std::string& breaker) {
    return make_scene(breaker_policy({.breaker = breaker}) + calm_governor);
}

/// A real Redis on one port of both families.
class Redis {
public:
    static constexpr std::uint16_t port = 6379;

    explicit Redis(const Scene& scene) : scene_(scene), directory_(make_temp_dir()) { start(); }

    void start() {
        const auto output = fmt::format("{}/output{}", directory_, ++starts_);
        process_.start(
            {.argv = {"redis-server", "--port", std::to_string(port), "--bind", "10.77.0.2",
                      "fd77::2", "--protected-mode", "no", "--save", "", "--dir", directory_},
             .network_namespace = scene_.link.server.fd(),
             .output = output});
        await([&] { return read_file(output).find("Ready to accept") != std::string::npos; },
              "redis-server to listen: " + read_file(output));
    }
    void restart() {
        process_.kill();
        start();
    }

private:
    const Scene& scene_;
    std::string directory_;
    Process process_;
    int starts_ = 0;
};

bool ping(const Fd& socket) {
    char answer[16];
    return ::send(socket.get(), "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
           wait_fd(socket.get(), POLLIN, Clock::now() + patience()) &&
           ::recv(socket.get(), answer, sizeof answer, MSG_DONTWAIT) == 7;
}

/// A pool meets the restart one by one, long after it.
void a_restarted_server_is_not_cut_off(const Family& family) {
    auto& scene = scene_with("window = \"10s\"");
    auto& redis = make<Redis>(scene);
    const Dest dest{family.server, Redis::port};
    auto& pool = open_connections(scene.link.client, dest, 5);
    for (const auto& socket : pool)
        check(ping(socket), "redis answers");
    redis.restart();
    await([&] { return silent_ms(pool.front()) > 1500; }, "the pool to be silent");
    for (std::size_t i = 0; i < pool.size(); ++i) {
        (void)::send(pool[i].get(), "PING\r\n", 6, MSG_NOSIGNAL);
        await([&] { return log_lines(scene, {"kind=refused_late "}).size() > i; }, "the finding");
        auto made = attempt(scene.link.client, dest);
        check_errno(made.error, 0, "it connects again");
        pool[i] = std::move(made.socket);
    }
    for (int i = 0; i < 20; ++i)
        check_errno(error_of(scene, dest), 0, fmt::format("fresh connect {}", i));
    check(log_lines(scene, {"reason=breaker_opened"}).empty(), "no breaker opens");
}

/// A service without a limit: what it used before is there at once.
void a_ramp_begins_with_what_was_used(const Family& family) {
    const auto text = policy({{.mode = "enforce"}}) +
                      "breaker = { mode = \"enforce\", refused = 3, open_for = \"500ms\", "
                      "ramp = \"60s\" }\n";
    auto& scene = make_scene(text + calm_governor);
    auto& first = serve(scene, family);
    const Dest dest = first.dest();
    auto& before = open_connections(scene.link.client, dest, 30);
    first.close();
    await(
        [&] { return std::ranges::all_of(before, [](const Fd& s) { return tcp_state(s) == 7; }); },
        "all connections to be reset");
    before.clear();
    await(
        [&] {
            check_errno(error_of(scene, dest), ECONNREFUSED, "the peer or the breaker refuses");
            return !log_lines(scene, {"reason=breaker_opened"}).empty();
        },
        "the breaker to open");
    make<Listener>(scene.link.server, dest);
    auto& after = make<std::vector<Fd>>();
    await(
        [&] {
            auto made = attempt(scene.link.client, dest);
            if (made.error == 0)
                after.push_back(std::move(made.socket));
            return made.error == 0;
        },
        "a probe gets through");
    await_finding(scene, "breaker_ramping", dest);
    while (after.size() < 30) {
        auto made = attempt(scene.link.client, dest);
        check_errno(made.error, 0, fmt::format("connection {} of 30", after.size()));
        after.push_back(std::move(made.socket));
    }
}

/// A socket that the kernel gave the port that it asks for.
int connect_to_itself(const Scene& scene, const Dest& dest) {
    auto socket = tcp_socket(scene.link.client, dest.v4() ? AF_INET : AF_INET6);
    const SocketAddress from(dest, dest.v4() ? AF_INET : AF_INET6);
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    need(::bind(socket.get(), from.get(), from.length) == 0, "bind to " + dest.text());
    return connect_errno(socket, dest);
}

void a_connection_to_itself_is_no_recovery(const Family& family) {
    auto& scene = scene_with("refused = 3, open_for = \"1s\", open_max = \"30s\", ramp = 0");
    const Dest dest{family.domain == AF_INET ? "127.0.0.1" : "::1", 40'404};
    fail_times(scene, dest, 3);
    check_errno(error_of(scene, dest), EHOSTUNREACH, "the breaker refuses");
    await([&] { return connect_to_itself(scene, dest) == 0; }, "a probe that connects to itself");
    await_finding(scene, "breaker_reopened", dest);
    check(log_lines(scene, {"reason=breaker_closed"}).empty(), "the breaker stays open");
    check_errno(error_of(scene, dest), EHOSTUNREACH, "and refuses");
}

void no_route_counts(const Family& family) {
    const auto unrouted = std::string(family.unrouted);
    auto& scene = scene_with("unreachable = 3, open_for = \"30s\", open_max = \"30s\"");
    const Dest dest{unrouted, 5432};
    for (int i = 0; i < 3; ++i)
        check_errno(error_of(scene, dest), ENETUNREACH, "the kernel knows no way");
    check_errno(error_of(scene, dest), EHOSTUNREACH, "the breaker refuses");
    const auto row = scene.ballastd.get("/v1/breakers").at("breakers").at(0);
    check_equal(row.at("failures").at("refused").get<int>(), 0, "by its kind");
    const auto opened = log_lines(scene, {"reason=breaker_opened", "unreachable=3"});
    check(!opened.empty(), "it says so");
}

/// Echoes a byte for each byte, to everybody, until it is killed.
int echo(int listener) {
    std::vector<pollfd> all{{listener, POLLIN, 0}};
    while (::poll(all.data(), all.size(), -1) > 0) {
        if (all.front().revents & POLLIN)
            if (const int made = ::accept(listener, nullptr, nullptr); made >= 0)
                all.push_back({made, POLLIN, 0});
        for (std::size_t i = 1; i < all.size(); ++i) {
            char byte = 0;
            if (!all[i].revents)
                continue;
            if (::recv(all[i].fd, &byte, 1, MSG_DONTWAIT) == 1) {
                (void)::send(all[i].fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            } else {
                ::close(all[i].fd);
                all[i].fd = -1;
            }
        }
    }
    return 1;
}

/// One of a pool: asks, and connects again where that fails.
class Caller {
public:
    Caller(const Netns& from, Dest dest) : from_(from), dest_(std::move(dest)) {
        reconnect(Clock::now() + patience());
    }

    /// One question and its answer, however many connections that takes.
    void ask(Clock::time_point until) {
        char byte = 'x';
        while (Clock::now() < until) {
            if (socket_ && ::send(socket_.get(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 &&
                wait_fd(socket_.get(), POLLIN | POLLERR,
                        std::min(until, Clock::now() + answer_within)) &&
                ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT) == 1)
                return;
            reconnect(until);
        }
    }

    /// A program's own time-out; it then tries another connection.
    milliseconds answer_within = patience(std::chrono::minutes(1));
    unsigned refused = 0;
    Clock::time_point last_refused;

private:
    void reconnect(Clock::time_point until) {
        while (Clock::now() < until) {
            socket_ = tcp_socket(from_, dest_.v4() ? AF_INET : AF_INET6, SOCK_NONBLOCK);
            int error = connect_errno(socket_, dest_);
            if (error == EINPROGRESS && wait_fd(socket_.get(), POLLOUT, Clock::now() + limit_))
                error = tcp_state(socket_) == TCP_ESTABLISHED ? 0 : ECONNABORTED;
            if (error == 0)
                return;
            socket_.reset();
            if (error == ECONNREFUSED) {
                ++refused;
                last_refused = Clock::now();
            }
            ::poll(nullptr, 0, 20); // a program's pause between two tries
        }
    }

    static constexpr milliseconds limit_{1200};
    const Netns& from_;
    Dest dest_;
    Fd socket_;
};

/// A pool of 20 and a server on one family.
struct Pool {
    std::deque<Caller> callers;

    Pool(const Wall& wall, const Family& family) {
        auto& listener = listen(wall, family);
        make<Process>().fork([&] { return echo(listener.socket().get()); });
        for (int i = 0; i < 20; ++i)
            callers.emplace_back(wall.link().client, listener.dest());
    }

    [[nodiscard]] unsigned refused() const {
        unsigned sum = 0;
        for (const auto& caller : callers)
            sum += caller.refused;
        return sum;
    }
};

/// Has every caller ask at once, and those at `busy` go on asking; when each got its answer.
std::vector<milliseconds> ask_all(Pool& pool) {
    std::vector<milliseconds> took(pool.callers.size());
    std::vector<std::thread> threads;
    const auto began = Clock::now();
    for (std::size_t i = 0; i < pool.callers.size(); ++i)
        threads.emplace_back([&, i] {
            pool.callers[i].ask(began + patience(std::chrono::seconds(60)));
            took[i] = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
        });
    for (auto& thread : threads)
        thread.join();
    return took;
}

std::string both_policies() {
    std::string text = "[daemon]\nsweep_interval = \"1s\"\n";
    for (const auto& [mode, to] : {std::pair("observe", "10.79.0.0/24"), {"enforce", "fd79::/64"}})
        text += fmt::format("\n[[service]]\nname = \"{0}\"\nto = [\"{1}\"]\nmode = \"enforce\"\n"
                            "breaker = {{ mode = \"{0}\" }}\n"
                            "half_open = {{ mode = \"enforce\", action = \"reset\" }}\n",
                            mode, to);
    return text + calm_governor;
}

/// The same pools at the same time, one with its breaker observing, one with it enforcing.
struct Both {
    Wall& wall;
    Scene scene;
    Pool& observed;
    Pool& enforced;
};

Both& make_both(int forget_after_s) {
    auto& wall = make<Wall>();
    wall.stand(forget_after_s);
    auto& ballastd = start_ballastd(both_policies());
    auto& observed = make<Pool>(wall, walled_families.front());
    return make<Both>(wall, Scene{wall.link(), ballastd}, observed,
                      make<Pool>(wall, walled_families.back()));
}

/// The slowest answer of each.
std::pair<milliseconds, milliseconds> compare(const Both& both, std::string_view what) {
    std::vector<milliseconds> observed;
    std::thread other([&] { observed = ask_all(both.observed); });
    const auto enforced = ask_all(both.enforced);
    other.join();
    const auto slowest = std::pair(std::ranges::max(observed), std::ranges::max(enforced));
    note(fmt::format("{}: slowest answer {} ms with the breaker observing, {} ms enforcing; "
                     "{} and {} connects refused",
                     what, slowest.first.count(), slowest.second.count(), both.observed.refused(),
                     both.enforced.refused()));
    return slowest;
}

/// Probes go out every second, half more in the worst case; the rest is for a busy machine.
constexpr milliseconds tolerated{3000};

void a_pool_that_was_forgotten_comes_back() {
    auto& both = make_both(2);
    const auto until = Clock::now() + std::chrono::milliseconds(3500);
    // One of each pool is in use, and shows that the path works.
    await(
        [&] {
            both.observed.callers.front().ask(until);
            both.enforced.callers.front().ask(until);
            return Clock::now() >= until;
        },
        "the firewall to forget");
    const auto [observed, enforced] = compare(both, "forgotten");
    check_equal(both.enforced.refused(), 0U, "connects refused");
    check(log_lines(both.scene, {"reason=breaker_opened"}).empty(), "no breaker opens");
    check(enforced <= observed + tolerated, "no slower than without");
}

void an_outage_is_over_when_it_ends() {
    auto& both = make_both(1000);
    for (auto* pool : {&both.observed, &both.enforced})
        for (auto& caller : pool->callers)
            caller.answer_within = std::chrono::seconds(1);
    both.wall.shut();
    std::atomic<bool> is_over = false;
    std::thread outage([&] {
        ::poll(nullptr, 0, 4000); // the outage
        is_over = true;
    });
    std::thread opener;
    const auto began = Clock::now();
    opener = std::thread([&] {
        outage.join();
        both.wall.open();
    });
    const auto [observed, enforced] = compare(both, "an outage of 4 s");
    opener.join();
    check(is_over, "nobody was answered before");
    check(!log_lines(both.scene, {"reason=breaker_opened", "service=enforce"}).empty(),
          "the breaker opens meanwhile");
    check(enforced <= observed + tolerated, "no slower than without");
    for (const auto& caller : both.enforced.callers)
        check(!caller.refused || caller.last_refused < began + milliseconds(4000) + tolerated,
              "nobody is refused any more");
}

} // namespace

TEST_GROUP(breaker_outage) {
    return Suite()
        .each(families, "a restarted server is not cut off", a_restarted_server_is_not_cut_off)
        .each(families, "a ramp begins with what was used", a_ramp_begins_with_what_was_used)
        .each(families, "a connection to itself is no recovery",
              a_connection_to_itself_is_no_recovery)
        .each(families, "no route counts", no_route_counts)
        .add("a pool that was forgotten comes back", a_pool_that_was_forgotten_comes_back)
        .add("an outage is over when it ends", an_outage_is_over_when_it_ends)
        .run_at_once("breaker_outage", 4);
}

} // namespace test_breaker_outage
