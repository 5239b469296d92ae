// SPDX-License-Identifier: Apache-2.0
// Promise: if most destinations fail at once none is cut off, and the governor's hold ends with the
// fault and with the daemon; in a dry run it does nothing, and says so.
#include "tests/e2e/failing.h"
#include "tests/harness/group.h"

#include <algorithm>

namespace test_governor {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr const char* timed_out_twice = "timed_out = 2, open_for = \"5m\", open_max = \"5m\"";

std::string governor(const std::string& lines) {
    return "\n[governor]\n" + lines + "\n";
}

const std::string dry_run = governor("dry_run = true");

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
    auto held = held_of(scene, dests);
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

/// A daemon that is asked to stop leaves no hold behind, which nothing would release.
void holds_end_with_the_daemon() {
    auto& scene = make_scene(breaker_policy({.breaker = timed_out_twice}));
    const auto dests = many_peers(scene, 20);
    const auto held = hold_some(scene, dests);
    scene.ballastd.stop();
    check_equal(count_open(scene, held), static_cast<unsigned>(held.size()),
                "open again, as they were before they were held");
    scene.ballastd.start();
    check(held_of(scene, dests).empty(), "the next daemon finds none held");
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

/// Pools that nobody adds to show nothing of the network: of those that somebody tried, all fail.
void idle_pools_say_nothing() {
    auto& scene = make_scene(breaker_policy({.breaker = "refused = 2, open_for = \"5m\", "
                                                        "open_max = \"5m\""}) +
                             governor("observer_fault_window = \"2s\""));
    std::vector<Fd>& pools = make<std::vector<Fd>>();
    for (int i = 0; i < 60; ++i) {
        auto made = attempt(scene.link.client, serve(scene, families.front()).dest());
        check_errno(made.error, 0, "a pooled connection");
        pools.push_back(std::move(made.socket));
    }
    std::vector<Dest> dests;
    for (int i = 0; i < 12; ++i)
        dests.push_back(dead_peer(scene, families.front()).dest);
    const auto later = Clock::now() + std::chrono::milliseconds(2500);
    await([&] { return Clock::now() > later; }, "the pools to be idle");
    for (int round = 0; round < 3; ++round)
        for (const auto& dest : dests)
            (void)error_of(scene, dest);
    await([&] { return !log_lines(scene, {"reason=observer_fault "}).empty(); },
          "an observer-fault finding");
    await([&] { return count_open(scene, dests) == 0; }, "the governor to hold all closed");
}

/// The finding names the destination and says what it comes from.
void await_withheld(const Scene& scene, const Dest& dest) {
    await(
        [&] {
            return !log_lines(scene, {"reason=breaker_withheld destination=" + dest.text() + " ",
                                      "dry_run=true"})
                        .empty();
        },
        "a finding of the dry run");
}

void dry_run_opens_nothing(const Family& family) {
    auto& scene = make_scene(breaker_policy({}) + dry_run);
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 6);
    await_withheld(scene, peer.dest);
    const auto row = scene.ballastd.get("/v1/breakers").at("breakers").at(0);
    check_equal(row.at("state").get<std::string>(), "closed", "state of the breaker");
    check(row.at("withheld").get<long>() >= 4, "the third failure and each later one is withheld");
    check(scene.ballastd.status().at("governor").at("dry_run").get<bool>(), "status says so");
    const auto shown = scene.ballastd.cli({"status"});
    check(shown.out.find("DRY RUN") != std::string::npos, "and people see it: " + shown.out);
}

void dry_run_leaves_people_their_say(const Family& family) {
    auto& scene = make_scene(breaker_policy({}) + dry_run);
    const auto peer = dead_peer(scene, family);
    fail_times(scene, peer.dest, 1);
    check_equal(scene.ballastd.cli({"breaker", "open", peer.dest.text()}).status, 0, "open");
    check_errno(error_of(scene, peer.dest), EHOSTUNREACH, "a person has it refuse");
    check_equal(scene.ballastd.cli({"breaker", "auto", peer.dest.text()}).status, 0, "auto");
    check_errno(error_of(scene, peer.dest), ECONNREFUSED, "the breaker decides, and is closed");
}

/// At once: openings that were granted before are taken back.
void dry_run_comes_and_goes_with_the_policy(const Family& family) {
    const auto text = breaker_policy({.breaker = "refused = 3, open_for = \"5m\", "
                                                 "open_max = \"5m\""});
    auto& scene = make_scene(text);
    const auto before = dead_peer(scene, family);
    fail_times(scene, before.dest, 3);
    scene.ballastd.enforce(text + dry_run);
    check_errno(error_of(scene, before.dest), EHOSTUNREACH, "what is open goes on by itself");
    const auto during = dead_peer(scene, family);
    fail_times(scene, during.dest, 5);
    await_withheld(scene, during.dest);
    scene.ballastd.enforce(text);
    check(!scene.ballastd.status().at("governor").at("dry_run").get<bool>(), "status says so");
    fail_times(scene, during.dest, 1);
    check_errno(error_of(scene, during.dest), EHOSTUNREACH, "the next failure opens");
}

void dry_run_finds_an_observer_fault() {
    auto& scene = make_scene(breaker_policy({.breaker = timed_out_twice}) + dry_run);
    const auto dests = many_peers(scene, 20);
    silence(scene.link.client, families.front());
    let_time_out(scene, dests);
    await(
        [&] {
            return !log_lines(scene, {"reason=observer_fault ", "dry_run=true"}).empty();
        },
        "an observer-fault finding of the dry run");
    check(held_of(scene, dests).empty(), "none is held");
    check_equal(count_open(scene, dests), 0U, "open breakers");
    end_silence(scene.link.client, families.front());
}

/// Holds that are there stay, although the governor decides to let go of them; it does once the
/// dry run is over.
void dry_run_lets_go_of_nothing() {
    const auto text = breaker_policy({.breaker = timed_out_twice});
    const std::string soon = "observer_fault_window = \"1s\"\nrelease_after = \"100ms\"\n";
    auto& scene = make_scene(text);
    const auto dests = many_peers(scene, 20);
    const auto held = hold_some(scene, dests);
    scene.ballastd.enforce(text + governor(soon + "dry_run = true"));
    await(
        [&] {
            return !log_lines(scene, {"reason=observer_fault_over ", "dry_run=true"}).empty();
        },
        "the end of the fault");
    check_equal(held_of(scene, dests).size(), held.size(), "held all the same");
    scene.ballastd.enforce(text + governor(soon));
    await([&] { return held_of(scene, dests).empty(); }, "the holds to be let go");
    check_equal(count_open(scene, held), static_cast<unsigned>(held.size()),
                "open, as they were before");
}

} // namespace

TEST_GROUP(governor) {
    return Suite()
        .add("all fail at once: the governor holds", all_fail_at_once)
        .add("holds end with the daemon", holds_end_with_the_daemon)
        .add("two of twenty fail: those two open", two_of_twenty_fail)
        .add("idle pools say nothing", idle_pools_say_nothing)
        .each(families, "a dry run opens nothing", dry_run_opens_nothing)
        .each(families, "a dry run leaves people their say", dry_run_leaves_people_their_say)
        .each(families, "a dry run comes and goes with the policy",
              dry_run_comes_and_goes_with_the_policy)
        .add("a dry run finds an observer fault", dry_run_finds_an_observer_fault)
        .add("a dry run lets go of nothing", dry_run_lets_go_of_nothing)
        .run_at_once("governor", 3);
}

} // namespace test_governor
