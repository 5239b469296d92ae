// SPDX-License-Identifier: Apache-2.0
// Peers that keep their window shut, or do not answer in time, as sweeps see them.
#include "daemon/guards/half_open/hung_guard.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_hung_guard {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::HungGuard;
using guards::HungLook;
using guards::Standstill;

const HungGuard::Monotonic start{1h};

HungLook shut(std::uint64_t cookie = 1, std::uint32_t acked = 7) {
    HungLook look;
    look.key.cookie = cookie;
    look.why = Standstill::window_shut;
    look.acked = acked;
    look.queued = 1000;
    return look;
}

HungLook unanswered(std::chrono::milliseconds waiting) {
    HungLook look;
    look.key.cookie = 1;
    look.why = Standstill::unanswered;
    look.waiting = waiting;
    look.limit = 30s;
    return look;
}

std::vector<HalfOpenVerdict> sweep(HungGuard& guard, const HungLook& look,
                                   std::chrono::milliseconds at) {
    guard.on_look(look, start + at);
    return guard.judge(start + at);
}

void a_window_that_stays_shut_is_told_once(void**) {
    HungGuard guard;
    for (auto at = 0s; at < 10s; ++at)
        assert_int_equal(sweep(guard, shut(), at).size(), 0);
    const auto verdicts = sweep(guard, shut(), 10s);
    assert_int_equal(verdicts.size(), 1);
    assert_true(verdicts[0].kind == HalfOpenKind::peer_hung);
    assert_true(verdicts[0].is_window_shut);
    assert_int_equal(verdicts[0].lasting.count(), 10'000);
    assert_int_equal(verdicts[0].queued, 1000);
    assert_int_equal(sweep(guard, shut(), 11s).size(), 0);
    guard.on_moving(1);
    const auto over = guard.judge(start + 12s);
    assert_int_equal(over.size(), 1);
    assert_true(over[0].kind == HalfOpenKind::cleared);
    assert_int_equal(guard.flows(), 0);
}

/// A slow reader: at each sweep the window is shut, and each time more was taken.
void a_reader_that_takes_something_is_not_hung(void**) {
    HungGuard guard;
    for (std::uint32_t i = 0; i < 1000; ++i)
        assert_int_equal(sweep(guard, shut(1, 1 + i / 3), i * 1s).size(), 0);
}

void one_that_takes_something_again_is_cleared(void**) {
    HungGuard guard;
    sweep(guard, shut(), 0s);
    assert_int_equal(sweep(guard, shut(), 10s).size(), 1);
    const auto over = sweep(guard, shut(1, 8), 11s);
    assert_int_equal(over.size(), 1);
    assert_true(over[0].kind == HalfOpenKind::cleared);
}

void a_window_that_opens_in_between_begins_anew(void**) {
    HungGuard guard;
    sweep(guard, shut(), 0s);
    guard.on_moving(1);
    assert_int_equal(guard.judge(start + 9s).size(), 0);
    assert_int_equal(sweep(guard, shut(), 10s).size(), 0);
    assert_int_equal(sweep(guard, shut(), 19s).size(), 0);
    assert_int_equal(sweep(guard, shut(), 20s).size(), 1);
}

/// Nothing is known of it, least of all that it recovered.
void one_that_no_sweep_meets_is_forgotten_in_silence(void**) {
    HungGuard guard;
    sweep(guard, shut(), 0s);
    assert_int_equal(sweep(guard, shut(), 10s).size(), 1);
    assert_int_equal(guard.judge(start + 20s).size(), 0);
    assert_int_equal(guard.flows(), 1);
    assert_int_equal(guard.judge(start + 10s + HungGuard::remembered).size(), 0);
    assert_int_equal(guard.flows(), 0);
}

void an_answer_is_waited_for_as_long_as_the_service_says(void**) {
    HungGuard guard;
    assert_int_equal(sweep(guard, unanswered(29'999ms), 0s).size(), 0);
    const auto verdicts = sweep(guard, unanswered(30s), 1s);
    assert_int_equal(verdicts.size(), 1);
    assert_int_equal(verdicts[0].unanswered.count(), 30'000);
    assert_false(verdicts[0].is_window_shut);
}

void what_this_host_does_not_send_is_its_own_fault(void**) {
    HungGuard guard;
    HungLook look = shut();
    look.why = Standstill::unsent;
    assert_int_equal(sweep(guard, look, 0s).size(), 0);
    assert_int_equal(guard.unsent().size(), 1);
    assert_int_equal(sweep(guard, look, 1400ms).size(), 0);
    const auto verdicts = sweep(guard, look, 1500ms);
    assert_int_equal(verdicts.size(), 1);
    assert_true(verdicts[0].kind == HalfOpenKind::local_fault);
    assert_true(guard.unsent().empty());
}

void what_does_not_fit_is_counted(void**) {
    HungGuard guard;
    for (std::uint64_t cookie = 1; cookie <= HungGuard::most_flows + 5; ++cookie)
        guard.on_look(shut(cookie), start);
    assert_int_equal(guard.flows(), HungGuard::most_flows);
    assert_int_equal(guard.table_full(), 5);
}

} // namespace

TEST_GROUP(hung_guard) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_window_that_stays_shut_is_told_once),
        cmocka_unit_test(a_reader_that_takes_something_is_not_hung),
        cmocka_unit_test(one_that_takes_something_again_is_cleared),
        cmocka_unit_test(one_that_no_sweep_meets_is_forgotten_in_silence),
        cmocka_unit_test(what_this_host_does_not_send_is_its_own_fault),
        cmocka_unit_test(a_window_that_opens_in_between_begins_anew),
        cmocka_unit_test(an_answer_is_waited_for_as_long_as_the_service_says),
        cmocka_unit_test(what_does_not_fit_is_counted)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_hung_guard
