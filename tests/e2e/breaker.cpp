// SPDX-License-Identifier: Apache-2.0
// Promise: a destination that fails is cut off by an errno at once, tried again by few probes, and
// given back its connections bit by bit; with the daemon dead too. If most fail, nobody is cut off.
#include "tests/e2e/scene.h"

#include <algorithm>

#include <netinet/tcp.h>

using namespace ballast;
using namespace ballast::test;

namespace {

struct Knobs {
    std::string mode = "enforce";
    std::string breaker = "refused = 3, open_for = \"1s\", open_max = \"2s\", ramp = 0";
};

/// What the breaker refuses is told from what the peer refuses by its errno.
std::string breaker_policy(const Knobs& knobs) {
    return policy({{.limit = 100, .mode = "enforce", .on_limit = "unreachable"}}) +
           fmt::format("breaker = {{ mode = \"{}\", {} }}\n", knobs.mode, knobs.breaker);
}

/// The same for the daemon that most tests share, which is not to wonder at how many peers fail.
constexpr const char* calm_governor = "\n[governor]\nactions_per_minute = 10000\n"
                                      "breaker_opens_per_minute = 10000\n"
                                      "observer_fault_ratio = 1.0\n";

Scene* shared = nullptr;

Scene& scene_with(const Knobs& knobs) {
    shared->ballastd.enforce(breaker_policy(knobs) + calm_governor);
    return *shared;
}

int error_of(const Scene& scene, const Dest& dest) {
    return attempt(scene.link.client, dest).error;
}

void fail_times(const Scene& scene, const Dest& dest, unsigned times) {
    for (unsigned i = 0; i < times; ++i)
        check_errno(error_of(scene, dest), ECONNREFUSED, "the peer refuses");
}

bool has_finding(Scene& scene, const std::string& reason, const Dest& dest) {
    return scene.ballastd.log().find(
               fmt::format("reason={} destination={}", reason, dest.text())) != std::string::npos;
}

void await_finding(Scene& scene, const std::string& reason, const Dest& dest) {
    await([&] { return has_finding(scene, reason, dest); }, "finding " + reason);
}

/// The destination and its listener's port, with the listener gone for now.
struct Peer {
    Listener& listener;
    Dest dest;
};

Peer dead_peer(const Scene& scene, const Family& family) {
    auto& listener = make<Listener>(scene.link.server, Dest{family.server, 0});
    const Dest dest = listener.dest();
    listener.close();
    return {listener, dest};
}

void failures_open(const Family& family) {
    auto& scene = scene_with({});
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 3);
    check_errno(error_of(scene, peer.dest), EHOSTUNREACH, "the breaker refuses");
    await_finding(scene, "breaker_opened", peer.dest);
    const auto other = dead_peer(scene, family);
    check_errno(error_of(scene, other.dest), ECONNREFUSED, "another destination is its own");
}

void observed_only(const Family& family) {
    auto& scene = scene_with({.mode = "observe"});
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 6);
    await_finding(scene, "breaker_opened", peer.dest);
}

void peer_that_returns_is_found(const Family& family) {
    auto& scene = scene_with({});
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 3);
    make<Listener>(scene.link.server, peer.dest);
    check_errno(error_of(scene, peer.dest), EHOSTUNREACH, "still open");
    await([&] { return error_of(scene, peer.dest) == 0; }, "a probe gets through");
    await_finding(scene, "breaker_probing", peer.dest);
    await_finding(scene, "breaker_closed", peer.dest);
    open_connections(scene.link.client, peer.dest, 20);
    check_exact(scene, peer.dest, 20);
}

void probe_that_fails_opens_for_longer(const Family& family) {
    auto& scene = scene_with({});
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 3);
    await([&] { return error_of(scene, peer.dest) == ECONNREFUSED; }, "a probe is let through");
    check_errno(error_of(scene, peer.dest), EHOSTUNREACH, "one failed probe is enough");
    await_finding(scene, "breaker_reopened", peer.dest);
}

/// Probes that get no answer keep their place: nobody else is let through meanwhile.
void few_probes_at_a_time(const Family& family) {
    auto& scene = scene_with({.breaker = "refused = 3, probes = 2, open_for = \"1s\", ramp = 0"});
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 3);
    silence(scene.link.client, family);
    std::vector<Fd>& probes = make<std::vector<Fd>>();
    const auto let_through = [&] {
        auto socket = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
        const int error = connect_errno(socket, peer.dest);
        if (error == EINPROGRESS)
            probes.push_back(std::move(socket));
        return error == EINPROGRESS;
    };
    await(let_through, "the first probe");
    check(let_through(), "the second probe");
    for (int i = 0; i < 10; ++i)
        check(!let_through(), "no third one");
    end_silence(scene.link.client, family);
}

void unanswered_connects_open(const Family& family) {
    auto& scene = scene_with({.breaker = "timed_out = 2, open_for = \"5s\""});
    const Dest dest{family.silent, 9};
    std::vector<Fd>& tries = make<std::vector<Fd>>();
    for (int i = 0; i < 2; ++i)
        tries.push_back(connecting(scene.link.client, dest));
    await(
        [&] {
            tcp_info info{};
            socklen_t size = sizeof info;
            ::getsockopt(tries.back().get(), IPPROTO_TCP, TCP_INFO, &info, &size);
            return info.tcpi_retransmits > 0;
        },
        "a SYN that is sent again");
    tries.clear(); // as an application does that has a time-out of its own
    auto socket = tcp_socket(scene.link.client, family.domain, SOCK_NONBLOCK);
    check_errno(connect_errno(socket, dest), EHOSTUNREACH, "the breaker refuses");
    await_finding(scene, "breaker_opened", dest);
}

void early_resets_open(const Family& family) {
    auto& scene = scene_with({.breaker = "reset = 2, reset_within = \"5s\", open_for = \"5s\""});
    auto& listener = serve(scene, family);
    for (int i = 0; i < 2; ++i) {
        auto made = attempt(scene.link.client, listener.dest());
        check_errno(made.error, 0, "connect");
        auto served = listener.accept();
        abort_connection(served);
        await([&] { return tcp_state(made.socket) == TCP_CLOSE; }, "the reset to arrive");
    }
    check_errno(error_of(scene, listener.dest()), EHOSTUNREACH, "the breaker refuses");
}

/// Opens, comes to half-open, closes and ramps without ballastd.
void needs_no_daemon(const Family& family) {
    auto& scene =
        make_scene(breaker_policy({.breaker = "refused = 3, open_for = \"1s\", ramp = 0"}));
    const auto peer = dead_peer(scene, family);
    check_errno(error_of(scene, peer.dest), ECONNREFUSED, "the peer refuses");
    scene.ballastd.crash();
    fail_times(scene, peer.dest, 2);
    check_errno(error_of(scene, peer.dest), EHOSTUNREACH, "the breaker refuses");
    make<Listener>(scene.link.server, peer.dest);
    await([&] { return error_of(scene, peer.dest) == 0; }, "a probe gets through");
    check_errno(error_of(scene, peer.dest), 0, "closed again");
    scene.ballastd.start();
    await_finding(scene, "breaker_opened", peer.dest); // the ring buffer outlives the daemon
}

/// Right after closing only a part of the limit is there, in the end all of it.
void limit_ramps_up(const Family& family) {
    auto& scene =
        scene_with({.breaker = "refused = 3, open_for = \"1s\", ramp = \"3s\", ramp_start = 10"});
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 3);
    make<Listener>(scene.link.server, peer.dest);
    std::vector<Fd>& open = make<std::vector<Fd>>();
    const auto open_one = [&] {
        auto made = attempt(scene.link.client, peer.dest);
        if (made.error == 0)
            open.push_back(std::move(made.socket));
        return made.error == 0;
    };
    await(open_one, "a probe gets through");
    while (open.size() < 100 && open_one()) {
    }
    check(open.size() >= 10 && open.size() < 100, fmt::format("{} of 100 at first", open.size()));
    await([&] { return open.size() == 100 || (open_one(), false); }, "the whole limit");
    check_errno(error_of(scene, peer.dest), EHOSTUNREACH, "and no more than that");
}

std::vector<Dest> many_peers(const Scene& scene, unsigned count) {
    std::vector<Dest> dests;
    for (unsigned i = 0; i < count; ++i)
        dests.push_back(serve(scene, families.front()).dest());
    for (const auto& dest : dests)
        check_errno(error_of(scene, dest), 0, "every destination is in use");
    return dests;
}

unsigned count_open(const Scene& scene, const std::vector<Dest>& dests) {
    return static_cast<unsigned>(std::count_if(dests.begin(), dests.end(), [&](const Dest& dest) {
        auto socket = tcp_socket(scene.link.client, AF_INET, SOCK_NONBLOCK);
        return connect_errno(socket, dest) == EHOSTUNREACH;
    }));
}

/// Connects that get no answer, given up after the second SYN: to these destinations.
void let_time_out(const Scene& scene, const std::vector<Dest>& dests) {
    std::vector<Fd> tries;
    for (int round = 0; round < 2; ++round)
        for (const auto& dest : dests) {
            tries.push_back(tcp_socket(scene.link.client, AF_INET, SOCK_NONBLOCK));
            connect_errno(tries.back(), dest);
        }
    await(
        [&] {
            return std::all_of(tries.begin(), tries.end(), [](const Fd& socket) {
                tcp_info info{};
                socklen_t size = sizeof info;
                ::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
                return info.tcpi_retransmits > 0 || info.tcpi_state == TCP_CLOSE;
            });
        },
        "every SYN to be sent again");
}

void all_fail_at_once() {
    auto& scene = make_scene(breaker_policy({.breaker = "timed_out = 2, open_for = \"30s\""}));
    const auto dests = many_peers(scene, 20);
    silence(scene.link.client, families.front());
    let_time_out(scene, dests);
    await([&] { return count_open(scene, dests) == 0; }, "the governor to hold all closed");
    const auto log = scene.ballastd.log();
    const auto fault = log.find("reason=observer_fault ");
    check(fault != std::string::npos, "an observer-fault finding");
    check(log.find("reason=observer_fault ", fault + 1) == std::string::npos, "and only one");
    end_silence(scene.link.client, families.front());
    for (const auto& dest : dests)
        check_errno(error_of(scene, dest), 0, "nobody is cut off");
}

void two_of_twenty_fail() {
    auto& scene = make_scene(breaker_policy({.breaker = "refused = 2, open_for = \"30s\""}));
    auto dests = many_peers(scene, 18);
    for (int i = 0; i < 2; ++i) {
        const auto peer = dead_peer(scene, families.front());
        fail_times(scene, peer.dest, 2);
        dests.push_back(peer.dest);
    }
    check_equal(count_open(scene, dests), 2U, "open breakers");
    check_equal(count_open(scene, {dests.end() - 2, dests.end()}), 2U, "those of the two");
    check(scene.ballastd.log().find("observer_fault") == std::string::npos, "no observer fault");
}

} // namespace

int main() {
    return Suite()
        .shared([] { shared = &make_scene(breaker_policy({}) + calm_governor); })
        .each(families, "failures open", failures_open)
        .each(families, "observe only observes", observed_only)
        .each(families, "a peer that returns is found", peer_that_returns_is_found)
        .each(families, "a probe that fails opens again", probe_that_fails_opens_for_longer)
        .each(families, "few probes at a time", few_probes_at_a_time)
        .each(families, "connects without answer open", unanswered_connects_open)
        .each(families, "early resets open", early_resets_open)
        .each(families, "needs no daemon", needs_no_daemon)
        .each(families, "the limit ramps up", limit_ramps_up)
        .add("all fail at once: the governor holds", all_fail_at_once)
        .add("two of twenty fail: those two open", two_of_twenty_fail)
        .run("breaker");
}
