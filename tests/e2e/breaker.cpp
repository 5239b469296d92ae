// SPDX-License-Identifier: Apache-2.0
// Promise: a destination that fails is cut off by an errno at once, tried again by few probes, and
// given back its connections bit by bit; with the daemon dead too.
#include "tests/e2e/failing.h"
#include "tests/harness/group.h"

#include <netinet/tcp.h>

namespace test_breaker {

using namespace ballast;
using namespace ballast::test;

namespace {

/// Not to wonder at how many peers fail.
constexpr const char* calm_governor = "\n[governor]\nactions_per_minute = 10000\n"
                                      "breaker_opens_per_minute = 10000\n"
                                      "observer_fault_ratio = 1.0\n";

Scene& scene_with(const BreakerKnobs& knobs) {
    return make_scene(breaker_policy(knobs) + calm_governor);
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

/// Unanswered probes still count as probes: no other connect is admitted meanwhile.
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

} // namespace

TEST_GROUP(breaker) {
    return Suite()
        .each(families, "failures open", failures_open)
        .each(families, "observe only observes", observed_only)
        .each(families, "a peer that returns is found", peer_that_returns_is_found)
        .each(families, "a probe that fails opens again", probe_that_fails_opens_for_longer)
        .each(families, "few probes at a time", few_probes_at_a_time)
        .each(families, "connects without answer open", unanswered_connects_open)
        .each(families, "early resets open", early_resets_open)
        .each(families, "needs no daemon", needs_no_daemon)
        .each(families, "the limit ramps up", limit_ramps_up)
        .run_at_once("breaker", 4);
}

} // namespace test_breaker
