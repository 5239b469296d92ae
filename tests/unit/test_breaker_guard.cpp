// SPDX-License-Identifier: Apache-2.0
// Each change of a breaker becomes one finding with its evidence; withheld openings are coalesced.
#include "daemon/guards/breaker/breaker_guard.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_guard {

namespace {

using ballast::BreakerChange;
using ballast::BreakerState;
using ballast::Mode;
using ballast::guards::BreakerGuard;
using std::chrono::seconds;

BreakerChange change(BreakerState from, BreakerState to) {
    BreakerChange made;
    made.from = from;
    made.to = to;
    return made;
}

BreakerChange withheld(std::uint32_t index) {
    BreakerChange made;
    made.index = index;
    made.withheld = true;
    return made;
}

const BreakerGuard::Monotonic start{std::chrono::minutes(60)};

void each_change_has_its_reason(void**) {
    struct Case {
        BreakerState from;
        BreakerState to;
        const char* reason;
    };
    BreakerGuard guard;
    for (const Case& c : {Case{BreakerState::closed, BreakerState::open, "breaker_opened"},
                          Case{BreakerState::ramp, BreakerState::open, "breaker_opened"},
                          Case{BreakerState::half_open, BreakerState::open, "breaker_reopened"},
                          Case{BreakerState::open, BreakerState::half_open, "breaker_probing"},
                          Case{BreakerState::half_open, BreakerState::ramp, "breaker_ramping"},
                          Case{BreakerState::ramp, BreakerState::closed, "breaker_closed"}}) {
        const auto finding = guard.read(change(c.from, c.to), start);
        assert_true(finding.has_value());
        assert_string_equal(name_of(finding->reason).data(), c.reason);
    }
}

void only_an_enforced_opening_acts(void**) {
    BreakerGuard guard;
    BreakerChange opened = change(BreakerState::closed, BreakerState::open);
    assert_true(guard.read(opened, start)->acted == std::optional(false));
    opened.mode = Mode::enforce;
    assert_true(guard.read(opened, start)->acted == std::optional(true));
    opened.withheld = true;
    assert_true(guard.read(opened, start)->acted == std::optional(false));
    const auto closed = change(BreakerState::ramp, BreakerState::closed);
    assert_false(guard.read(closed, start)->acted.has_value());
}

void evidence_names_kinds_error_and_time(void**) {
    BreakerGuard guard;
    BreakerChange opened = change(BreakerState::closed, BreakerState::open);
    opened.service = "db";
    opened.mode = Mode::enforce;
    opened.failures = {5, 0, 0, 0, 2, 0};
    opened.established = 3;
    opened.last_error = "ETIMEDOUT";
    opened.lasts = std::chrono::milliseconds(5200);
    opened.level = 1;
    const auto finding = guard.read(opened, start);
    assert_string_equal(
        finding->evidence.c_str(),
        "mode=enforce timed_out=5 reset=2 established=3 last_error=ETIMEDOUT for_ms=5200 level=1");
    assert_string_equal(finding->service.c_str(), "db");
}

void evidence_names_whom_it_concerns(void**) {
    BreakerGuard guard;
    BreakerChange opened = change(BreakerState::closed, BreakerState::open);
    opened.is_for_some = true;
    opened.cgroup = 4711;
    opened.netns = 4026531840;
    assert_string_equal(guard.read(opened, start)->evidence.c_str(),
                        "mode=observe only_for_cgroup=4711 netns=4026531840");
}

void withheld_openings_are_told_now_and_then(void**) {
    BreakerGuard guard;
    const BreakerChange one = withheld(1);
    const BreakerChange other = withheld(2);
    assert_string_equal(name_of(guard.read(one, start)->reason).data(), "breaker_withheld");
    assert_false(guard.read(one, start + seconds(9)).has_value());
    assert_true(guard.read(other, start + seconds(9)).has_value());
    assert_true(guard.read(one, start + seconds(10)).has_value());
    assert_int_equal(guard.coalesced(), 1);
}

void a_dry_run_is_told_of_what_it_withheld(void**) {
    BreakerGuard guard;
    BreakerChange made = withheld(1);
    made.dry_run = true;
    assert_string_equal(guard.read(made, start)->evidence.c_str(), "mode=observe dry_run=true");
    made.withheld = false;
    assert_string_equal(guard.read(made, start)->evidence.c_str(), "mode=observe");
}

} // namespace

TEST_GROUP(breaker_guard) {
    const CMUnitTest tests[] = {cmocka_unit_test(each_change_has_its_reason),
                                cmocka_unit_test(only_an_enforced_opening_acts),
                                cmocka_unit_test(evidence_names_kinds_error_and_time),
                                cmocka_unit_test(evidence_names_whom_it_concerns),
                                cmocka_unit_test(withheld_openings_are_told_now_and_then),
                                cmocka_unit_test(a_dry_run_is_told_of_what_it_withheld)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker_guard
