// SPDX-License-Identifier: Apache-2.0
// Promise: if most destinations fail at once, it is this host's own network and nobody is cut off.
#include "tests/e2e/failing.h"

#include <algorithm>

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr const char* timed_out_twice = "timed_out = 2, open_for = \"5m\", open_max = \"5m\"";

/// Of these, whose breakers the governor holds closed.
std::vector<Dest> held_of(Scene& scene, const std::vector<Dest>& dests) {
    std::vector<Dest> held;
    const auto listed = scene.ballastd.get("/v1/breakers");
    for (const auto& row : listed.at("breakers"))
        if (row.at("forced_by") == "governor")
            std::ranges::copy_if(dests, std::back_inserter(held), [&](const Dest& dest) {
                return row.at("endpoint") == dest.text();
            });
    return held;
}

/// Makes these destinations fail at once, with the network well again afterwards; those of them
/// that the governor holds closed.
std::vector<Dest> hold_some(Scene& scene, const std::vector<Dest>& dests) {
    silence(scene.link.client, families.front());
    let_time_out(scene, dests);
    await([&] { return count_open(scene, dests) == 0; }, "the governor to hold all closed");
    end_silence(scene.link.client, families.front());
    const auto held = held_of(scene, dests);
    check(!held.empty(), "the governor holds some");
    return held;
}

void all_fail_at_once() {
    auto& scene = make_scene(breaker_policy({.breaker = timed_out_twice}));
    const auto dests = many_peers(scene, 20);
    hold_some(scene, dests);
    check_equal(log_lines(scene, {"reason=observer_fault "}).size(), 1U, "observer-fault findings");
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
    check(log_lines(scene, {"observer_fault"}).empty(), "no observer fault");
}

} // namespace

int main() {
    return Suite()
        .add("all fail at once: the governor holds", all_fail_at_once)
        .add("two of twenty fail: those two open", two_of_twenty_fail)
        .run("governor");
}
