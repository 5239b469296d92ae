// SPDX-License-Identifier: Apache-2.0
// What the governor grants, holds and lets go (V1 to V3), with time moved by hand.
#include <algorithm>
#include <random>
#include <vector>

#include "daemon/govern/governor.h"
#include "tests/harness/cmocka.hpp"

namespace {

using ballast::GovernorOptions;
using ballast::govern::Governor;
using ballast::govern::RateCap;
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
            governor.on_failing(d, true, start);
        const auto decision = governor.decide(c.active, start);
        assert_false(governor.suspects_observer());
        assert_int_equal(decision.trip_budget, c.budget);
    }
}

void most_failing_at_once_is_our_own_fault(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 10; ++d)
        governor.on_failing(d, true, start);
    assert_false(governor.decide(20, start).fault_began);
    governor.on_failing(10, true, start);
    const auto decision = governor.decide(20, start);
    assert_true(decision.fault_began);
    assert_int_equal(decision.trip_budget, 0);
    assert_int_equal(decision.hold.size(), 11);
    assert_int_equal(decision.failing, 11);
    const auto again = governor.decide(20, start + seconds(1));
    assert_false(again.fault_began);
    assert_true(again.hold.empty());
}

void few_failing_are_never_our_fault(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 4; ++d)
        governor.on_failing(d, true, start);
    assert_false(governor.decide(4, start).fault_began);
}

void failures_apart_are_no_fault(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 20; ++d) {
        const Time at = start + d * seconds(3);
        governor.on_failing(d, true, at);
        assert_false(governor.decide(20, at).fault_began);
    }
}

/// Openings withheld for want of budget are failures too.
void withheld_openings_count(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 11; ++d)
        governor.on_failing(d, d < 3, start);
    const auto decision = governor.decide(20, start);
    assert_true(decision.fault_began);
    assert_int_equal(decision.hold.size(), 3);
}

void holds_are_let_go_when_calm_has_lasted(void**) {
    Governor governor(options());
    for (std::uint32_t d = 0; d < 11; ++d)
        governor.on_failing(d, true, start);
    governor.decide(20, start);
    // failures go on, with breakers held closed
    for (std::uint32_t d = 0; d < 11; ++d)
        governor.on_failing(d, false, start + seconds(9));
    assert_true(governor.decide(20, start + seconds(18)).release.empty());
    assert_true(governor.decide(20, start + seconds(47)).release.empty());
    const auto decision = governor.decide(20, start + seconds(49));
    assert_true(decision.fault_ended);
    assert_int_equal(decision.release.size(), 11);
    assert_int_equal(governor.holds(), 0);
    assert_true(governor.decide(20, start + seconds(50)).trip_budget > 0);
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
    assert_int_equal(governor.decide(20, start + seconds(1)).trip_budget, 0);
    const auto decision = governor.decide(20, start + seconds(31));
    assert_int_equal(decision.release.size(), 1);
}

/// Whatever fails when, a kernel that spends each budget at once never opens more in a window than
/// makes the observer suspect, nor more in a minute than the cap allows.
void random_failures_never_exceed_the_bounds(void**) {
    std::mt19937 random(5);
    for (int run = 0; run < 200; ++run) {
        Governor governor(options());
        const std::size_t active = 5 + random() % 200;
        const std::size_t suspicious = std::max<std::size_t>(5, active / 2 + 1);
        Time now = start;
        std::vector<Time> opened;
        std::uint32_t next = 0;
        for (int step = 0; step < 200; ++step) {
            now += milliseconds(random() % 3000);
            auto budget = governor.decide(active, now).trip_budget;
            for (; budget > 0 && random() % 3 != 0; --budget) {
                governor.on_failing(next++, true, now);
                opened.push_back(now);
            }
            const auto within = [&](auto span) {
                return static_cast<std::size_t>(std::count_if(
                    opened.begin(), opened.end(), [&](Time at) { return now - at < span; }));
            };
            assert_true(within(seconds(10)) <= suspicious);
            assert_true(within(minutes(1)) <= 2 * options().breaker_opens_per_minute);
        }
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(cap_saves_up_one_minute),
                                cmocka_unit_test(a_clock_that_stands_still_grants_nothing_more),
                                cmocka_unit_test(budget_is_what_leaves_the_observer_unsuspected),
                                cmocka_unit_test(most_failing_at_once_is_our_own_fault),
                                cmocka_unit_test(few_failing_are_never_our_fault),
                                cmocka_unit_test(failures_apart_are_no_fault),
                                cmocka_unit_test(withheld_openings_count),
                                cmocka_unit_test(holds_are_let_go_when_calm_has_lasted),
                                cmocka_unit_test(undoing_all_empties_the_list),
                                cmocka_unit_test(an_adopted_hold_is_let_go_too),
                                cmocka_unit_test(random_failures_never_exceed_the_bounds)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
