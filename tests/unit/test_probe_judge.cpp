// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/probe_judge.h"

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_probe_judge {

namespace {

using ballast::discovery::ProbeJudge;
using Step = ProbeJudge::Step;
using std::chrono::milliseconds;

constexpr milliseconds kWait{300};
const ProbeJudge::Time kStart{std::chrono::hours(1)};

/// Sends the volley; the time of its last probe.
ProbeJudge::Time volley(ProbeJudge& judge) {
    auto now = kStart;
    for (int i = 1; i < ProbeJudge::volley; ++i) {
        assert_true(judge.step(now) == Step::wait);
        assert_true(judge.next(now) == now + ProbeJudge::volley_spacing);
        now += ProbeJudge::volley_spacing;
        assert_true(judge.step(now) == Step::send);
        assert_true(judge.in_volley());
    }
    return now;
}

void a_drop_takes_a_volley_a_witness_and_more(void**) {
    ProbeJudge judge(kWait, kStart);
    auto now = volley(judge);
    assert_false(judge.wants_witness(now));
    assert_true(judge.next(now) == now + kWait);
    now += kWait;
    assert_true(judge.wants_witness(now) && judge.step(now) == Step::wait);
    assert_false(judge.next(now).has_value());
    judge.witness();
    assert_false(judge.wants_witness(now));
    for (int i = 0; i < ProbeJudge::after_witness; ++i) {
        assert_true(judge.step(now) == Step::send);
        assert_false(judge.in_volley());
        now += kWait - milliseconds(1);
        assert_true(judge.step(now) == Step::wait);
        now += milliseconds(1);
    }
    assert_true(judge.step(now) == Step::dropped);
}

void without_a_witness_nothing_is_dropped(void**) {
    ProbeJudge judge(kWait, kStart);
    auto now = volley(judge);
    for (int i = 0; i < 1'000; ++i) {
        now += kWait;
        assert_true(judge.step(now) == Step::wait);
    }
}

void a_reset_takes_a_witness(void**) {
    ProbeJudge judge(kWait, kStart);
    judge.reset();
    assert_true(judge.step(kStart) == Step::wait);
    assert_true(judge.wants_witness(kStart));
    judge.witness();
    assert_true(judge.next(kStart).has_value());
    assert_true(judge.step(kStart) == Step::reset);
}

} // namespace

TEST_GROUP(probe_judge) {
    const CMUnitTest tests[] = {cmocka_unit_test(a_drop_takes_a_volley_a_witness_and_more),
                                cmocka_unit_test(without_a_witness_nothing_is_dropped),
                                cmocka_unit_test(a_reset_takes_a_witness)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_probe_judge
