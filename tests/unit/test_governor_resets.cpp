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

const Governor::Monotonic start{1h};

PeerKey peer(std::uint16_t port) {
    PeerKey made;
    made.port = port;
    return made;
}

unsigned granted(Governor& governor, Governor::Monotonic now) {
    unsigned count = 0;
    while (governor.leave_to_reset(now) == Leave::granted)
        ++count;
    return count;
}

void both_caps_hold(void**) {
    Governor own({.actions_per_minute = 100, .resets_per_minute = 20});
    assert_int_equal(granted(own, start), 20);
    assert_true(own.leave_to_reset(start) == Leave::caps);
    assert_int_equal(granted(own, start + 30s), 10);
    Governor all({.actions_per_minute = 7, .resets_per_minute = 20});
    assert_int_equal(granted(all, start), 7);
}

void many_dead_paths_make_the_observer_suspect(void**) {
    Governor governor({.observer_fault_percent = 50, .release_after = 30s});
    governor.set_paths(20);
    for (std::uint16_t port = 1; port <= 10; ++port)
        governor.on_dead_path(peer(port), start);
    assert_true(governor.leave_to_reset(start) == Leave::granted); // half is not more than half
    governor.on_dead_path(peer(10), start);                        // the same again
    assert_true(governor.leave_to_reset(start) == Leave::granted);
    governor.on_dead_path(peer(11), start);
    assert_true(governor.leave_to_reset(start) == Leave::observer_fault);
    assert_true(governor.leave_to_reset(start + 29s) == Leave::observer_fault);
    assert_true(governor.leave_to_reset(start + 41s) == Leave::granted);
}

void few_dead_paths_never_do(void**) {
    Governor governor({});
    governor.set_paths(1);
    for (std::uint16_t port = 1; port <= 4; ++port)
        governor.on_dead_path(peer(port), start);
    assert_true(governor.leave_to_reset(start) == Leave::granted);
    governor.on_dead_path(peer(5), start);
    assert_true(governor.leave_to_reset(start) == Leave::observer_fault);
}

void failing_connects_hold_resets_too(void**) {
    Governor governor({});
    for (std::uint32_t destination = 0; destination < 5; ++destination)
        governor.on_failing(destination, Governor::Failing::withheld, start);
    (void)governor.decide(
        5, [](std::uint32_t&, std::uint32_t) { return true; }, start);
    assert_true(governor.leave_to_reset(start) == Leave::observer_fault);
}

void a_dry_run_grants_nothing(void**) {
    Governor governor({.dry_run = true});
    assert_true(governor.leave_to_reset(start) == Leave::dry_run);
}

} // namespace

TEST_GROUP(governor_resets) {
    const CMUnitTest tests[] = {cmocka_unit_test(both_caps_hold),
                                cmocka_unit_test(many_dead_paths_make_the_observer_suspect),
                                cmocka_unit_test(few_dead_paths_never_do),
                                cmocka_unit_test(failing_connects_hold_resets_too),
                                cmocka_unit_test(a_dry_run_grants_nothing)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_governor_resets
