// SPDX-License-Identifier: Apache-2.0
// When the governor lets half-open flows be reset (V5), with time moved by hand.
#include "daemon/govern/governor.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_governor_resets {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using govern::Governor;
using Leave = Governor::Leave;
using Proof = Governor::Proof;

const Governor::Monotonic start{1h};

PeerKey peer(std::uint16_t port) {
    PeerKey made;
    made.port = port;
    return made;
}

unsigned granted(Governor& governor, Governor::Monotonic now) {
    unsigned count = 0;
    while (governor.leave_to_reset(Proof::unproven, now) == Leave::granted)
        ++count;
    return count;
}

void both_caps_hold(void**) {
    Governor own({.actions_per_minute = 100, .resets_per_minute = 20});
    assert_int_equal(granted(own, start), 20);
    assert_true(own.leave_to_reset(Proof::unproven, start) == Leave::caps);
    assert_int_equal(granted(own, start + 30s), 10);
    Governor all({.actions_per_minute = 7, .resets_per_minute = 20});
    assert_int_equal(granted(all, start), 7);
}

void many_dead_paths_make_the_observer_suspect(void**) {
    Governor governor({.observer_fault_percent = 50, .release_after = 30s});
    governor.set_paths(20);
    for (std::uint16_t port = 1; port <= 10; ++port)
        governor.on_dead_path(peer(port));
    assert_true(governor.leave_to_reset(Proof::unproven, start) ==
                Leave::granted);     // half is not more than half
    governor.on_dead_path(peer(10)); // the same again
    assert_true(governor.leave_to_reset(Proof::unproven, start) == Leave::granted);
    governor.on_dead_path(peer(11));
    assert_true(governor.leave_to_reset(Proof::unproven, start) == Leave::observer_fault);
    for (std::uint16_t port = 1; port <= 11; ++port)
        governor.on_left_path(peer(port), start);
    assert_true(governor.leave_to_reset(Proof::unproven, start + 10s) == Leave::observer_fault);
    assert_true(governor.leave_to_reset(Proof::unproven, start + 39s) == Leave::observer_fault);
    assert_true(governor.leave_to_reset(Proof::unproven, start + 41s) == Leave::granted);
}

void few_dead_paths_do_not_unless_they_are_all(void**) {
    Governor governor({});
    governor.set_paths(5);
    for (std::uint16_t port = 1; port <= 4; ++port)
        governor.on_dead_path(peer(port));
    assert_true(governor.leave_to_reset(Proof::unproven, start) == Leave::granted);
    governor.on_dead_path(peer(5));
    assert_true(governor.leave_to_reset(Proof::unproven, start) == Leave::observer_fault);
}

void all_of_a_few_make_the_observer_suspect(void**) {
    for (std::uint16_t paths = 1; paths <= 4; ++paths) {
        Governor governor({});
        governor.set_paths(paths);
        for (std::uint16_t port = 1; port <= paths; ++port)
            governor.on_dead_path(peer(port));
        assert_true((governor.leave_to_reset(Proof::unproven, start) == Leave::observer_fault) ==
                    (paths >= 2));
    }
}

/// However long that takes; and only what is heard of ends it, not the clock.
/// However long that takes; and only what is heard of ends it, not the clock.
void the_hold_lasts_until_something_is_heard(void**) {
    Governor governor({.observer_fault_window = 10s, .release_after = 30s});
    governor.set_paths(3);
    for (std::uint16_t port = 1; port <= 3; ++port)
        governor.on_dead_path(peer(port));
    assert_true(governor.leave_to_reset(Proof::unproven, start) == Leave::observer_fault);
    assert_true(governor.leave_to_reset(Proof::unproven, start + 600s) == Leave::observer_fault);
    assert_int_equal(governor.judge_paths(start + 600s).dead, 3);
    governor.on_live_path(peer(1));
    assert_true(governor.judge_paths(start + 629s).is_held);
    assert_false(governor.judge_paths(start + 630s).is_held);
}

void a_path_without_flows_counts_for_the_window(void**) {
    Governor governor({.observer_fault_window = 10s, .release_after = 0s});
    governor.set_paths(3);
    for (std::uint16_t port = 1; port <= 3; ++port) {
        governor.on_dead_path(peer(port));
        governor.on_left_path(peer(port), start);
    }
    assert_true(governor.judge_paths(start + 10s).is_held);
    assert_false(governor.judge_paths(start + 11s).is_held);
}

void what_is_proven_is_neither_held_nor_capped(void**) {
    Governor governor({.actions_per_minute = 1, .resets_per_minute = 1});
    governor.set_paths(2);
    governor.on_dead_path(peer(1));
    governor.on_dead_path(peer(2));
    for (int i = 0; i < 200; ++i)
        assert_true(governor.leave_to_reset(Proof::proven, start) == Leave::granted);
    Governor dry({.dry_run = true});
    assert_true(dry.leave_to_reset(Proof::proven, start) == Leave::dry_run);
}

void failing_connects_hold_resets_too(void**) {
    Governor governor({});
    for (std::uint32_t destination = 0; destination < 5; ++destination)
        governor.on_failing(destination, Governor::Failing::withheld, start);
    (void)governor.decide(
        5, [](std::uint32_t&, std::uint32_t) { return true; }, start);
    assert_true(governor.leave_to_reset(Proof::unproven, start) == Leave::observer_fault);
}

void a_dry_run_grants_nothing(void**) {
    Governor governor({.dry_run = true});
    assert_true(governor.leave_to_reset(Proof::unproven, start) == Leave::dry_run);
}

} // namespace

TEST_GROUP(governor_resets) {
    const CMUnitTest tests[] = {cmocka_unit_test(both_caps_hold),
                                cmocka_unit_test(many_dead_paths_make_the_observer_suspect),
                                cmocka_unit_test(few_dead_paths_do_not_unless_they_are_all),
                                cmocka_unit_test(all_of_a_few_make_the_observer_suspect),
                                cmocka_unit_test(the_hold_lasts_until_something_is_heard),
                                cmocka_unit_test(a_path_without_flows_counts_for_the_window),
                                cmocka_unit_test(what_is_proven_is_neither_held_nor_capped),
                                cmocka_unit_test(failing_connects_hold_resets_too),
                                cmocka_unit_test(a_dry_run_grants_nothing)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_governor_resets
