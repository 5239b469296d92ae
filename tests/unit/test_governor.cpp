// SPDX-License-Identifier: Apache-2.0
// What the governor grants, holds and lets go (V1 to V3), with time moved by hand.
#include "daemon/govern/governor.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_governor {

namespace {

using ballast::GovernorOptions;
using ballast::govern::Governor;
using ballast::govern::RateCap;
using Failing = Governor::Failing;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Time = Governor::Monotonic;

const Time start{minutes(60)};

GovernorOptions options() {
    return {.actions_per_minute = 120,
            .breaker_opens_per_minute = 30,
            .observer_fault_percent = 50,
            .observer_fault_window = seconds(10),
            .release_after = seconds(30)};
}

/// A decision while no program takes anything.
Governor::Decision decide(Governor& governor, std::size_t active, Time now) {
    const auto swap = [](std::uint32_t&, std::uint32_t) { return true; };
    return governor.decide(active, swap, now);
}

void cap_saves_up_one_minute(void**) {
    RateCap cap(60);
    assert_int_equal(cap.left(start), 60);
    assert_int_equal(cap.take(100, start), 60);
    assert_int_equal(cap.take(1, start), 0);
    assert_int_equal(cap.left(start + seconds(1)), 1);
    assert_int_equal(cap.left(start + minutes(10)), 60);
    cap.configure(10);
    assert_int_equal(cap.left(start + minutes(10)), 10);
}

void a_clock_that_stands_still_grants_nothing_more(void**) {
    RateCap cap(60);
    assert_int_equal(cap.take(60, start), 60);
    assert_int_equal(cap.left(start - seconds(5)), 0);
    assert_int_equal(cap.left(start), 0);
}

void what_is_charged_beyond_the_cap_is_paid_off(void**) {
    RateCap cap(60);
    assert_int_equal(cap.left(start), 60);
    cap.configure(10);
    cap.charge(25, start);
    assert_int_equal(cap.left(start), 0);
    assert_int_equal(cap.left(start + seconds(90)), 0);
    assert_int_equal(cap.left(start + seconds(102)), 2);
    cap.charge(-30, start + seconds(102));
    assert_int_equal(cap.left(start + seconds(102)), 10);
}

void budget_is_what_leaves_the_observer_unsuspected(void**) {
    struct Case {
        std::size_t active;
        std::uint32_t opened;
        std::uint32_t budget;
    };
    for (const Case& c : {Case{0, 0, 5}, Case{4, 0, 5}, Case{20, 0, 11}, Case{20, 2, 9},
                          Case{20, 9, 2}, Case{1000, 0, 30}, Case{1000, 12, 18}}) {
        Governor governor(options());
        for (std::uint32_t d = 0; d < c.opened; ++d)
            governor.on_failing(d, Failing::opened, start);
        const auto decision = decide(governor, c.active, start);
        assert_false(governor.suspects_observer());
        assert_int_equal(decision.trip_budget, c.budget);
    }
}

void most_failing_at_once_is_our_own_fault(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 10; ++d)
        governor.on_failing(d, Failing::opened, start);
    assert_false(decide(governor, 20, start).fault_began);
    governor.on_failing(10, Failing::opened, start);
    const auto decision = decide(governor, 20, start);
    assert_true(decision.fault_began);
    assert_int_equal(decision.trip_budget, 0);
    assert_int_equal(decision.hold.size(), 11);
    assert_int_equal(decision.failing, 11);
    const auto again = decide(governor, 20, start + seconds(1));
    assert_false(again.fault_began);
    assert_true(again.hold.empty());
}

void few_failing_are_never_our_fault(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 4; ++d)
        governor.on_failing(d, Failing::opened, start);
    assert_false(decide(governor, 4, start).fault_began);
}

void failures_apart_are_no_fault(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 20; ++d) {
        const Time at = start + d * seconds(3);
        governor.on_failing(d, Failing::opened, at);
        assert_false(decide(governor, 20, at).fault_began);
    }
}

/// Openings withheld for want of budget are failures too.
void withheld_openings_count(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 11; ++d)
        governor.on_failing(d, d < 3 ? Failing::opened : Failing::withheld, start);
    const auto decision = decide(governor, 20, start);
    assert_true(decision.fault_began);
    assert_int_equal(decision.hold.size(), 3);
}

void holds_are_let_go_when_calm_has_lasted(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 11; ++d)
        governor.on_failing(d, Failing::opened, start);
    decide(governor, 20, start);
    // failures go on, with breakers held closed
    for (std::uint32_t d = 0; d < 11; ++d)
        governor.on_failing(d, Failing::withheld, start + seconds(9));
    assert_true(decide(governor, 20, start + seconds(18)).release.empty());
    assert_true(decide(governor, 20, start + seconds(47)).release.empty());
    const auto decision = decide(governor, 20, start + seconds(49));
    assert_true(decision.fault_ended);
    assert_int_equal(decision.release.size(), 11);
    assert_int_equal(governor.holds(), 0);
    assert_true(decide(governor, 20, start + seconds(50)).trip_budget > 0);
}

void undoing_all_empties_the_list(void**) {
    Governor governor(options());
    governor.adopt_hold(7, start);
    governor.adopt_hold(7, start);
    governor.adopt_hold(9, start);
    assert_int_equal(governor.undo_all().size(), 2);
    assert_true(governor.undo_all().empty());
}

void an_adopted_hold_is_let_go_too(void**) {
    Governor governor(options());
    governor.adopt_hold(7, start);
    assert_int_equal(decide(governor, 20, start + seconds(1)).trip_budget, 0);
    const auto decision = decide(governor, 20, start + seconds(31));
    assert_int_equal(decision.release.size(), 1);
}

} // namespace

TEST_GROUP(governor) {
    const CMUnitTest tests[] = {cmocka_unit_test(cap_saves_up_one_minute),
                                cmocka_unit_test(a_clock_that_stands_still_grants_nothing_more),
                                cmocka_unit_test(what_is_charged_beyond_the_cap_is_paid_off),
                                cmocka_unit_test(budget_is_what_leaves_the_observer_unsuspected),
                                cmocka_unit_test(most_failing_at_once_is_our_own_fault),
                                cmocka_unit_test(few_failing_are_never_our_fault),
                                cmocka_unit_test(failures_apart_are_no_fault),
                                cmocka_unit_test(withheld_openings_count),
                                cmocka_unit_test(holds_are_let_go_when_calm_has_lasted),
                                cmocka_unit_test(undoing_all_empties_the_list),
                                cmocka_unit_test(an_adopted_hold_is_let_go_too)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_governor
