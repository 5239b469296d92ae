// SPDX-License-Identifier: Apache-2.0
// For whom a breaker opens (bpf/lib/breaker_party.h, P1 and P2), what it makes of those outside,
// and by which part of the attempts (bpf/lib/breaker.h, B7 to B9).
#include <array>
#include <cerrno>
#include <vector>

#include "bpf/lib/breaker.h"
#include "bpf/lib/failure.h"
#include "bpf/lib/recent.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_party {

namespace {

constexpr __u64 now = 1'000'000;
constexpr __u32 window_ms = 8000;
constexpr __u32 refused = BALLAST_FAILURE_REFUSED;

__u64 consumer(__u32 cgroup, __u32 netns = 1) {
    return ballast_party_id(cgroup, netns);
}

ballast_breaker_limits policy(__u8 failure_percent = 50) {
    ballast_breaker_limits limits{};
    limits.window_ms = window_ms;
    limits.open_for_ms = 5000;
    limits.open_max_ms = 60'000;
    limits.thresholds[refused] = 5;
    limits.thresholds[BALLAST_FAILURE_TIMED_OUT] = 5;
    limits.thresholds[BALLAST_FAILURE_HALF_OPEN_FLOW] = 3;
    limits.probes = 1;
    limits.failure_percent = failure_percent;
    return limits;
}

struct World {
    ballast_breaker breaker{};
    ballast_breaker_limits limits = policy();
    ballast_breaker_change change{};

    ballast_breaker_event event(__u32 kind, __u64 who, __u64 at_ms) {
        return {.now_ms = at_ms,
                .began_ms = 0,
                .who = who,
                .kind = kind,
                .is_probe = 0,
                .is_given_up = 0,
                .error = ECONNREFUSED,
                .random = 1U << 31U,
                .reserved = 0};
    }
    ballast_breaker_outcome fail(__u64 who, int times = 1, __u64 at_ms = now,
                                 __u32 kind = refused) {
        auto outcome = BALLAST_BREAKER_COUNTED;
        for (int i = 0; i < times; ++i) {
            const auto one = event(kind, who, at_ms);
            outcome = ballast_breaker_failure(&breaker, &limits, &one, nullptr, &change);
        }
        return outcome;
    }
    void succeed(__u64 who, int times = 1, __u64 at_ms = now) {
        for (int i = 0; i < times; ++i)
            ballast_breaker_success(&breaker, &limits, false, who, at_ms, &change);
    }
    [[nodiscard]] __u32 state() const { return ballast_breaker_state(breaker.word); }
    bool refuses(__u64 who, __u64 at_ms = now) {
        return ballast_breaker_concerns(&breaker, who, at_ms) &&
               ballast_breaker_admit(&breaker, &limits, at_ms, &change) == BALLAST_BREAKER_REFUSE;
    }
};

/// What each consumer met before the last failure, which is the first consumer's.
struct Culprits {
    const char* what;
    std::vector<__u64> failing;
    std::vector<__u64> well;
    bool for_all;
};

void opens_for_those_that_fail(void**) {
    for (const auto& row : std::vector<Culprits>{
             {"one consumer", {consumer(7)}, {}, false},
             {"two", {consumer(7), consumer(8)}, {}, true},
             {"one, in two namespaces", {consumer(7, 1), consumer(7, 2)}, {}, false},
             {"one beside one that is well", {consumer(7)}, {consumer(8)}, false},
             {"two beside one", {consumer(7), consumer(8)}, {consumer(9)}, true},
             {"two beside two", {consumer(7), consumer(8)}, {consumer(9), consumer(10)}, false},
             {"nobody known", {0}, {}, true},
         }) {
        print_message("# %s\n", row.what);
        World world;
        for (const __u64 who : row.well)
            world.succeed(who);
        for (const __u64 who : row.failing)
            world.fail(who, 1, now + 100);
        world.fail(row.failing.front(), 10, now + 200);
        assert_int_equal(world.state(), BALLAST_BREAKER_OPEN);
        assert_int_equal(ballast_breaker_scope(world.breaker.word) == 0, row.for_all);
        for (const __u64 who : row.failing)
            assert_true(world.refuses(who, now + 300));
        for (const __u64 who : row.well)
            assert_int_equal(world.refuses(who, now + 300), row.for_all);
        assert_int_equal(world.refuses(consumer(99), now + 300), row.for_all);
    }
}

/// What others meet while it is open for one.
void outsiders_open_it_for_themselves_too(void**) {
    World world;
    const __u64 one = consumer(7);
    const __u64 other = consumer(8);
    world.fail(one, 5);
    assert_int_equal(world.state(), BALLAST_BREAKER_OPEN);
    assert_int_equal(world.fail(one, 20, now + 1), BALLAST_BREAKER_COUNTED); // stragglers
    world.succeed(other, 3, now + 1);
    assert_false(world.refuses(other, now + 1));
    assert_int_equal(world.fail(other, 4, now + 2000), BALLAST_BREAKER_COUNTED);
    assert_int_equal(world.fail(other, 1, now + 2000), BALLAST_BREAKER_OPENED);
    assert_true(world.refuses(other, now + 2001));
    assert_true(world.refuses(one, now + 2001));
}

void a_success_of_those_outside_does_not_close_it(void**) {
    World world;
    world.fail(consumer(7), 5);
    world.succeed(consumer(8), 50);
    assert_true(world.refuses(consumer(7)));
    world.succeed(consumer(7)); // it was connecting when it opened
    assert_int_equal(world.state(), BALLAST_BREAKER_CLOSED);
}

/// The record of one that it is open for is kept, whatever others come (P2).
void culprits_are_remembered(void**) {
    World world;
    world.fail(consumer(7), 5);
    for (__u32 cgroup = 100; cgroup < 200; ++cgroup)
        world.succeed(consumer(cgroup), 1, now + cgroup * 10);
    assert_true(world.refuses(consumer(7), now + 2000));
    assert_false(world.refuses(consumer(150), now + 2000));
}

struct Ratio {
    const char* what;
    __u8 percent;
    int succeeded;
    __u64 succeeded_at_ms;
    int failed;
    bool opens;
};

void opens_by_the_part_that_fails(void**) {
    for (const auto& row : std::array<Ratio, 8>{{
             {"5 of 10,000", 50, 9995, now, 5, false},
             {"all of 5", 50, 0, now, 5, true},
             {"4, too few to say so", 50, 0, now, 4, false},
             {"5 of 10", 50, 5, now, 5, true},
             {"5 of 11", 50, 6, now, 5, false},
             {"5 of 10,000 where only numbers count", 0, 9995, now, 5, true},
             {"1 % is enough", 1, 400, now, 5, true},
             {"all of the last quarter, after much that went well", 50, 9995, now - 3000, 5, true},
         }}) {
        print_message("# %s\n", row.what);
        World world;
        world.limits = policy(row.percent);
        world.succeed(consumer(7), row.succeeded, row.succeeded_at_ms);
        world.fail(consumer(7), row.failed);
        assert_int_equal(world.state() == BALLAST_BREAKER_OPEN, row.opens);
    }
}

/// A breaker that was just made has seen failures alone: its last quarter says nothing yet, and
/// what went well before is in the window.
void a_new_breaker_waits_for_successes(void**) {
    World world;
    world.breaker.born = ballast_party_time(now);
    ballast_window_begin(&world.breaker, &world.limits, 100, now);
    world.fail(consumer(7), 20);
    assert_int_equal(world.state(), BALLAST_BREAKER_CLOSED);
    assert_int_equal(
        ballast_breaker_window_count(&world.breaker, &world.limits, BALLAST_BREAKER_SUCCESS, now),
        100);
    world.fail(consumer(7), 5, now + 1100);
    assert_int_equal(world.state(), BALLAST_BREAKER_OPEN);
    World spared;
    spared.breaker.born = ballast_party_time(now);
    ballast_window_begin(&spared.breaker, &spared.limits, 100, now);
    spared.fail(consumer(7), 20);
    spared.succeed(consumer(8), 30, now + 600);
    spared.fail(consumer(7), 5, now + 1100);
    assert_int_equal(spared.state(), BALLAST_BREAKER_CLOSED);
}

void old_flows_count_only_while_connects_fail(void**) {
    constexpr __u32 flow = BALLAST_FAILURE_HALF_OPEN_FLOW;
    World alone;
    alone.fail(0, 50, now, flow);
    assert_int_equal(alone.state(), BALLAST_BREAKER_CLOSED);
    World answered;
    answered.fail(consumer(7));
    answered.succeed(consumer(8));
    answered.fail(0, 50, now, flow);
    assert_int_equal(answered.state(), BALLAST_BREAKER_CLOSED);
    World down;
    down.fail(consumer(7));
    down.fail(0, 2, now, flow);
    assert_int_equal(down.state(), BALLAST_BREAKER_CLOSED);
    down.fail(0, 1, now, flow);
    assert_int_equal(down.state(), BALLAST_BREAKER_OPEN);
}

void what_began_before_the_last_change_says_nothing(void**) {
    World world;
    world.breaker.since_ms = now;
    ballast_breaker_event event = world.event(refused, consumer(7), now + 500);
    event.began_ms = now - 1;
    for (int i = 0; i < 20; ++i)
        ballast_breaker_failure(&world.breaker, &world.limits, &event, nullptr, &world.change);
    assert_int_equal(world.state(), BALLAST_BREAKER_CLOSED);
    event.began_ms = now + 1;
    for (int i = 0; i < 5; ++i)
        ballast_breaker_failure(&world.breaker, &world.limits, &event, nullptr, &world.change);
    assert_int_equal(world.state(), BALLAST_BREAKER_OPEN);
}

struct GivenUp {
    const char* what;
    ballast_given_up end;
    int kind;
};

void given_up_connects(void**) {
    constexpr __u32 never = 0xffffffff;
    for (const auto& [what, end, kind] : std::array<GivenUp, 7>{{
             {"the SYN was sent again", {1, 0, 0}, BALLAST_FAILURE_TIMED_OUT},
             {"after 250 ms", {0, 250, never}, BALLAST_FAILURE_TIMED_OUT},
             {"after 900 ms", {0, 900, 5000}, BALLAST_FAILURE_TIMED_OUT},
             {"at once", {0, 20, never}, BALLAST_NO_FAILURE},
             {"a race was lost", {0, 270, 5}, BALLAST_NO_FAILURE},
             {"to one that was as fast", {0, 270, 270}, BALLAST_NO_FAILURE},
             {"nothing is known of others", {0, 900, 0}, BALLAST_NO_FAILURE},
         }}) {
        print_message("# %s\n", what);
        assert_int_equal(ballast_failure_to_connect(0, &end), kind);
    }
    const ballast_given_up none{};
    assert_int_equal(ballast_failure_to_connect(ENETUNREACH, &none), BALLAST_FAILURE_UNREACHABLE);
    assert_int_equal(ballast_failure_to_connect(EADDRNOTAVAIL, &none), BALLAST_NO_FAILURE);
}

/// A connect a millisecond, each of which ends at once or stays.
void recent_use(void**) {
    ballast_destination destination{};
    __u64 now_ns = 0;
    for (int i = 0; i < 20'000; ++i) {
        now_ns = 100'000'000'000 + static_cast<__u64>(i) * 1'000'000;
        destination.in_use = i < 5000 ? 40 : 3;
        ++destination.admitted;
        ballast_recent_note(&destination, now_ns);
    }
    assert_in_range(ballast_recent_successes(&destination, now_ns), 8000, 18'000);
    assert_int_equal(ballast_recent_use(&destination), 40);
    assert_in_range(ballast_recent_successes(&destination, now_ns + 5'000'000'000), 5000, 18'000);
    assert_int_equal(ballast_recent_successes(&destination, now_ns + 20'000'000'000), 0);
    ballast_destination fresh{};
    fresh.admitted = fresh.in_use = 1;
    ballast_recent_note(&fresh, now_ns);
    assert_int_equal(ballast_recent_successes(&fresh, now_ns), 0);
}

struct Ramp {
    const char* what;
    __u32 max;
    __u32 base;
    __u64 passed_ms;
    __u32 limit;
};

void a_ramp_begins_with_what_was_used(void**) {
    ballast_breaker_limits limits = policy();
    limits.ramp_ms = 10'000;
    limits.ramp_start = 10;
    const __u64 word = ballast_breaker_next(0, BALLAST_BREAKER_RAMP, 0, now + limits.ramp_ms);
    for (const auto& [what, max, base, passed_ms, limit] : std::array<Ramp, 8>{{
             {"less than a tenth was used", 100, 2, 0, 10},
             {"more was used", 100, 60, 0, 60},
             {"half way", 100, 20, 5000, 55},
             {"all was used", 100, 120, 0, 100},
             {"no limit", BALLAST_UNLIMITED, 20, 0, 20},
             {"no limit, half way", BALLAST_UNLIMITED, 20, 5000, 22},
             {"no limit, at its end", BALLAST_UNLIMITED, 20, 10'000, BALLAST_UNLIMITED},
             {"no limit, more than can be doubled", BALLAST_UNLIMITED, 0x90000000, 0, 0x90000000},
         }}) {
        print_message("# %s\n", what);
        const auto got = ballast_breaker_ramp(word, &limits, max, base, now + passed_ms);
        if (base < 0x80000000)
            assert_int_equal(got, limit);
        else
            assert_true(got >= limit);
    }
}

} // namespace

TEST_GROUP(breaker_party) {
    const CMUnitTest tests[] = {cmocka_unit_test(opens_for_those_that_fail),
                                cmocka_unit_test(outsiders_open_it_for_themselves_too),
                                cmocka_unit_test(a_success_of_those_outside_does_not_close_it),
                                cmocka_unit_test(culprits_are_remembered),
                                cmocka_unit_test(opens_by_the_part_that_fails),
                                cmocka_unit_test(a_new_breaker_waits_for_successes),
                                cmocka_unit_test(old_flows_count_only_while_connects_fail),
                                cmocka_unit_test(what_began_before_the_last_change_says_nothing),
                                cmocka_unit_test(given_up_connects),
                                cmocka_unit_test(recent_use),
                                cmocka_unit_test(a_ramp_begins_with_what_was_used)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker_party
