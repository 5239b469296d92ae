// SPDX-License-Identifier: Apache-2.0
// Promise: a breaker opens by what fresh connects meet, weighed against those that succeed, and for
// those alone that meet it; what has nothing to do with a destination takes no breaker.
#include "tests/e2e/failing.h"
#include "tests/e2e/programs.h"
#include "tests/harness/group.h"

#include <algorithm>

#include <netinet/tcp.h>

namespace test_breaker_whose {

using namespace ballast;
using namespace ballast::test;

namespace {

/// Not to wonder at how many peers fail.
constexpr const char* calm_governor = "\n[governor]\nactions_per_minute = 10000\n"
                                      "breaker_opens_per_minute = 10000\n"
                                      "observer_fault_ratio = 1.0\n";

/// All that is not named in `breaker` has its default.
Scene& scene_with(const std::string& breaker) {
    return make_scene(breaker_policy({.breaker = breaker}) + calm_governor);
}

constexpr const char* as_it_comes = "window = \"10s\"";

Fd begin(const Scene& scene, const Dest& dest) {
    auto socket = tcp_socket(scene.link.client, dest.v4() ? AF_INET : AF_INET6, SOCK_NONBLOCK);
    const int error = connect_errno(socket, dest);
    check(error == EINPROGRESS || error == EHOSTUNREACH, "a connect begins: " + errno_text(error));
    if (error != EINPROGRESS)
        socket.reset();
    return socket;
}

bool is_refused(const Scene& scene, const Dest& dest) {
    return !begin(scene, dest);
}

void check_none_refused(const Scene& scene, const Dest& dest, int times,
                        Where where = Where::current()) {
    for (int i = 0; i < times; ++i)
        check_errno(error_of(scene, dest), 0, fmt::format("fresh connect {}", i), where);
}

bool is_sent_again(const Fd& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    ::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.tcpi_retransmits > 0;
}

/// The client's SYNs from a port of its choice that nobody answers.
std::vector<Fd> unanswered(const Scene& scene, const Family& family, const Dest& dest, int count) {
    constexpr int first = 20'000;
    scene.link.server.exec({"nft", fmt::format("add table inet lost; add chain inet lost in {{ "
                                               "type filter hook input priority 0; }}; "
                                               "add rule inet lost in tcp sport {}-{} drop",
                                               first, first + count - 1)});
    std::vector<Fd> sockets;
    for (int i = 0; i < count; ++i) {
        auto socket = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
        const SocketAddress from({family.client, static_cast<std::uint16_t>(first + i)},
                                 family.domain);
        need(::bind(socket.get(), from.get(), from.length) == 0, "bind");
        check_errno(connect_errno(socket, dest), EINPROGRESS, "a connect that gets no answer");
        sockets.push_back(std::move(socket));
    }
    return sockets;
}

/// Ten thousand and five, on a slower scale.
void few_failures_among_many(const Family& family) {
    auto& scene = scene_with(as_it_comes);
    auto& listener = serve(scene, family);
    auto& lost = make<std::vector<Fd>>(unanswered(scene, family, listener.dest(), 5));
    check_none_refused(scene, listener.dest(), 100);
    await([&] { return std::ranges::all_of(lost, is_sent_again); }, "every SYN to be sent again");
    lost.clear(); // as a program does that has a time-out of its own
    check_none_refused(scene, listener.dest(), 100);
    check(log_lines(scene, {"reason=breaker_opened"}).empty(), "no breaker opens");
}

/// The number that the policy asks for, whatever succeeds.
void few_failures_where_only_numbers_count(const Family& family) {
    auto& scene = scene_with("timed_out = 5, failure_ratio = 0, open_for = \"30s\"");
    auto& listener = serve(scene, family);
    auto& lost = make<std::vector<Fd>>(unanswered(scene, family, listener.dest(), 5));
    check_none_refused(scene, listener.dest(), 100);
    await([&] { return std::ranges::all_of(lost, is_sent_again); }, "every SYN to be sent again");
    lost.clear();
    check_errno(error_of(scene, listener.dest()), EHOSTUNREACH, "the breaker refuses");
}

/// A client with a time-out below that of the kernel for the first SYN.
struct Hasty {
    const char* name;
    int ms;
};
constexpr Hasty hasty[] = {{"250 ms", 250}, {"500 ms", 500}, {"900 ms", 900}};

void wait_ms(int ms) {
    const auto until = Clock::now() + std::chrono::milliseconds(ms);
    (void)wait_until([&] { return Clock::now() >= until; }, std::chrono::milliseconds(ms + 100));
}

void impatient_clients_open(const Hasty& client) {
    for (const auto& family : families) {
        auto& scene = scene_with("window = \"10s\", open_for = \"30s\"");
        const Dest dest{family.silent, 5432};
        for (int round = 0; round < 3 && !is_refused(scene, dest); ++round) {
            std::vector<Fd>& tries = make<std::vector<Fd>>();
            for (int i = 0; i < 4; ++i)
                tries.push_back(begin(scene, dest));
            wait_ms(client.ms);
            tries.clear();
        }
        check(is_refused(scene, dest), "the breaker refuses");
        await_finding(scene, "breaker_opened", dest);
    }
}

/// RFC 8305: IPv6 first, IPv4 after 250 ms, and whichever is slower is dropped.
void losers_of_a_race_count_for_nothing() {
    auto& scene = scene_with("window = \"10s\", open_for = \"30s\"");
    auto& winner = serve(scene, families.front());
    const Dest loser{families.back().silent, winner.dest().port};
    for (int i = 0; i < 12; ++i) {
        auto& slower = make<Fd>(begin(scene, loser));
        wait_ms(250);
        check_errno(error_of(scene, winner.dest()), 0, "the faster one");
        slower.reset();
    }
    check(!is_refused(scene, loser), "the loser is not cut off");
    check(log_lines(scene, {"reason=breaker_opened"}).empty(), "no breaker opens");
}

/// Connects by the test process from inside the cgroup, which it leaves again.
template <typename Work>
auto in_unit(const Scene& scene, const Subgroup& cgroup, Work work) {
    cgroup.join();
    auto done = work();
    scene.ballastd.own_cgroup()->enter();
    return done;
}

int error_in(const Scene& scene, const Subgroup& cgroup, const Dest& dest) {
    return in_unit(scene, cgroup, [&] { return attempt(scene.link.client, dest).error; });
}

/// A device that leads nowhere, with a route that nothing takes by itself.
void add_sink(const Scene& scene) {
    scene.link.client.ip({"link add sink type veth peer name drain", "link set sink up",
                          "link set drain up", "route add 10.77.0.0/24 dev sink metric 4000",
                          "route add fd77::/64 dev sink metric 4000",
                          "neigh add 10.77.0.2 lladdr 02:00:00:00:00:01 dev sink",
                          "neigh add fd77::2 lladdr 02:00:00:00:00:01 dev sink"});
}

/// Any user may bind a socket to a device.
void one_user_cannot_close_it_to_others(const Family& family) {
    auto& scene = scene_with("window = \"10s\", open_for = \"30s\", open_max = \"30s\"");
    const auto& dest = serve(scene, family).dest();
    add_sink(scene);
    const auto& user = unit(scene, "user-1000.slice");
    const auto& other = unit(scene, "app.service");
    auto& lost = make<std::vector<Fd>>(in_unit(scene, user, [&] {
        std::vector<Fd> sockets;
        for (int i = 0; i < 8; ++i) {
            sockets.push_back(tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK));
            ::setsockopt(sockets.back().get(), SOL_SOCKET, SO_BINDTODEVICE, "sink", 5);
            (void)connect_errno(sockets.back(), dest);
        }
        return sockets;
    }));
    await([&] { return std::ranges::all_of(lost, is_sent_again); }, "every SYN to be sent again");
    lost.clear();
    await_finding(scene, "breaker_opened", dest);
    check_errno(error_in(scene, user, dest), EHOSTUNREACH, "the user's own are refused");
    for (int i = 0; i < 20; ++i)
        check_errno(error_in(scene, other, dest), 0, "another's are not");
    check_errno(error_in(scene, user, dest), EHOSTUNREACH, "nor does that close it for the user");
    check(!log_lines(scene, {"reason=breaker_opened", "only_for_cgroup="}).empty(),
          "the finding says for whom");
}

/// As a network policy does that denies a pod what others are allowed.
void one_that_is_denied_is_alone(const Family& family) {
    auto& scene = scene_with("window = \"10s\", open_for = \"30s\", open_max = \"30s\"");
    const auto& dest = serve(scene, family).dest();
    const auto& denied = make_link();
    const auto& other = unit(scene, "app.service");
    const auto& pod = unit(scene, "pod.slice");
    for (int i = 0; i < 10; ++i)
        check_errno(in_unit(scene, pod, [&] { return attempt(denied.client, dest).error; }),
                    ECONNREFUSED, "denied");
    check_errno(in_unit(scene, pod, [&] { return attempt(denied.client, dest).error; }),
                EHOSTUNREACH, "the pod's own are refused");
    for (int i = 0; i < 20; ++i)
        check_errno(error_in(scene, other, dest), 0, "another's are not");
}

void two_that_fail_close_it_to_all(const Family& family) {
    auto& scene = scene_with("window = \"10s\", open_for = \"30s\", open_max = \"30s\"");
    const auto peer = dead_peer(scene, family);
    const auto& one = unit(scene, "one.service");
    const auto& two = unit(scene, "two.service");
    for (int i = 0; i < 5; ++i)
        for (const auto* cgroup : {&one, &two})
            check_errno(error_in(scene, *cgroup, peer.dest), ECONNREFUSED, "the peer refuses");
    check_errno(error_in(scene, unit(scene, "three.service"), peer.dest), EHOSTUNREACH,
                "the breaker refuses, also somebody who has not tried");
}

/// What nobody uses takes no breaker: each port of a scan is tried once.
void a_scan_takes_no_breakers(const Family& family) {
    auto& scene = scene_with(as_it_comes);
    constexpr std::uint16_t first = 2000;
    for (std::uint16_t port = first; port < first + 500; ++port)
        check_errno(error_of(scene, {family.server, port}), ECONNREFUSED, "nobody listens");
    check_equal(scene.ballastd.get("/v1/breakers").at("breakers").size(), 0U, "breakers");
}

/// Not even one that tries each port again and again.
void a_scan_leaves_breakers_to_others() {
    auto& scene = scene_with("refused = 3, open_for = \"30s\"");
    const auto& family = families.front();
    const auto peer = dead_peer(scene, family);
    in_unit(scene, unit(scene, "scanner.service"), [&] {
        for (int port = 1000; port < 10'000; ++port)
            for (int i = 0; i < 2; ++i)
                (void)error_of(scene, {family.server, static_cast<std::uint16_t>(port)});
        return 0;
    });
    const auto& app = unit(scene, "app.service");
    for (int i = 0; i < 3; ++i)
        check_errno(error_in(scene, app, peer.dest), ECONNREFUSED, "the peer refuses");
    check_errno(error_in(scene, app, peer.dest), EHOSTUNREACH, "another's breaker opens");
}

/// More destinations than the table has rows.
void a_scan_leaves_destinations_to_others() {
    auto& scene = make_scene(limit_policy(1));
    const auto& listener = serve(scene, families.front());
    in_unit(scene, unit(scene, "scanner.service"), [&] {
        for (const char* host : {families.front().server, families.front().client})
            for (int port = 1; port < 36'000; ++port)
                (void)error_of(scene, {host, static_cast<std::uint16_t>(port)});
        return 0;
    });
    const auto& app = unit(scene, "app.service");
    auto& held = make<Attempt>(
        in_unit(scene, app, [&] { return attempt(scene.link.client, listener.dest()); }));
    check_errno(held.error, 0, "another's connection");
    check_errno(error_in(scene, app, listener.dest()), ECONNREFUSED, "and its limit of one");
}

} // namespace

TEST_GROUP(breaker_whose) {
    return Suite()
        .each(families, "5 failures of 205 do not open", few_failures_among_many)
        .each(families, "5 failures open where only numbers count",
              few_failures_where_only_numbers_count)
        .each(hasty, "clients that give up open", impatient_clients_open)
        .add("losers of a race do not open", losers_of_a_race_count_for_nothing)
        .each(families, "one user cannot close it to others", one_user_cannot_close_it_to_others)
        .each(families, "one that is denied is alone", one_that_is_denied_is_alone)
        .each(families, "two that fail close it to all", two_that_fail_close_it_to_all)
        .each(families, "a scan takes no breakers", a_scan_takes_no_breakers)
        .add("a scan leaves breakers to others", a_scan_leaves_breakers_to_others)
        .add("a scan leaves destinations to others", a_scan_leaves_destinations_to_others)
        .run_at_once("breaker_whose", 4);
}

} // namespace test_breaker_whose
