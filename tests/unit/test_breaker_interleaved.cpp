// SPDX-License-Identifier: Apache-2.0
// What two CPUs make of one breaker, without luck: each call is stopped after each of its loads in
// turn, another call runs there as a whole, and what both bring about must be what one after the
// other would have (bpf/lib/breaker.h, B1 to B4; breaker_window.h, W2, W4; rate.h, G1).
#include <array>
#include <functional>
#include <tuple>
#include <utility>

#include "bpf/lib/atomic.h"

namespace interleaved {

inline int loads_left = 0;
inline std::function<void()> meanwhile;

/// A load after which, when its turn has come, the other CPU does all it wants to.
template <class T>
T load(const volatile T& word) {
    const T loaded = word;
    if (loads_left > 0 && --loads_left == 0)
        meanwhile();
    return loaded;
}

} // namespace interleaved

#undef BALLAST_LOAD
#define BALLAST_LOAD(word) interleaved::load(word)

#include "bpf/lib/breaker.h"
#include "bpf/lib/rate.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_interleaved {

namespace {

constexpr __u64 now = 100'000'000;
constexpr __u64 round_ms = 1000ULL * 65'536; // until the numbers of slots come round again
constexpr __u32 kind = BALLAST_FAILURE_REFUSED;

struct World {
    ballast_breaker breaker{};
    ballast_breaker_limits limits{};
    __u32 budget = 1;
    __u64 tat_ns = 0;
    __u64 steps = 0; ///< reported by all calls
};

struct Call {
    const char* what;
    std::function<__u32(World&)> run;
};

__u32 fail(World& world, __u32 is_probe) {
    ballast_breaker_change change;
    const ballast_breaker_event event{.now_ms = now,
                                      .began_ms = 0,
                                      .who = 0,
                                      .kind = kind,
                                      .is_probe = is_probe,
                                      .is_given_up = 0,
                                      .error = 111,
                                      .random = 0,
                                      .reserved = 0};
    const auto outcome =
        ballast_breaker_failure(&world.breaker, &world.limits, &event, &world.budget, &change);
    world.steps += change.changed;
    return outcome;
}

__u32 admit(World& world) {
    ballast_breaker_change change;
    const auto verdict = ballast_breaker_admit(&world.breaker, &world.limits, now, &change);
    world.steps += change.changed;
    return verdict;
}

__u32 succeed(World& world) {
    ballast_breaker_change change;
    ballast_breaker_success(&world.breaker, &world.limits, true, 0, now, &change);
    world.steps += change.changed;
    return 0;
}

const std::array<Call, 6> calls{{
    {"admit", admit},
    {"failure", [](World& world) { return fail(world, 0); }},
    {"failure of a probe", [](World& world) { return fail(world, 1); }},
    {"success", succeed},
    {"probe lost",
     [](World& world) {
         ballast_breaker_probe_lost(&world.breaker);
         return 0U;
     }},
    {"rate", [](World& world) -> __u32 { return ballast_rate_take(&world.tat_ns, 10, 10, now); }},
}};

struct Start {
    const char* what;
    __u32 state;
    __u64 deadline_ms;
    __u64 undecided;
    __u64 succeeded;
    __u16 threshold;
    int failures; ///< before, in this window
    int old;      ///< in one whose slots have the same numbers
};

constexpr std::array<Start, 15> starts{{
    {"closed", BALLAST_BREAKER_CLOSED, 0, 0, 0, 9, 0, 0},
    {"closed, first failures for long", BALLAST_BREAKER_CLOSED, 0, 0, 0, 9, 0, 3},
    {"closed, some failures", BALLAST_BREAKER_CLOSED, 0, 0, 0, 9, 2, 3},
    {"closed, about to open", BALLAST_BREAKER_CLOSED, 0, 0, 0, 1, 0, 3},
    {"open", BALLAST_BREAKER_OPEN, now + 1, 0, 0, 1, 0, 0},
    {"open, due", BALLAST_BREAKER_OPEN, now, 0, 0, 1, 0, 0},
    {"half-open", BALLAST_BREAKER_HALF_OPEN, now + 9, 0, 0, 9, 0, 0},
    {"half-open, one place", BALLAST_BREAKER_HALF_OPEN, now + 9, 1, 0, 9, 0, 0},
    {"half-open, no place", BALLAST_BREAKER_HALF_OPEN, now + 9, 2, 0, 9, 0, 0},
    {"half-open, about to close", BALLAST_BREAKER_HALF_OPEN, now + 9, 1, 1, 9, 0, 0},
    {"half-open, due", BALLAST_BREAKER_HALF_OPEN, now, 2, 0, 9, 0, 0},
    {"half-open, due, about to close", BALLAST_BREAKER_HALF_OPEN, now, 1, 1, 9, 0, 0},
    {"ramp", BALLAST_BREAKER_RAMP, now + 9, 0, 0, 9, 0, 0},
    {"ramp, about to open", BALLAST_BREAKER_RAMP, now + 9, 0, 0, 1, 0, 0},
    {"ramp, due, about to open", BALLAST_BREAKER_RAMP, now, 0, 0, 1, 0, 0},
}};

World begin(const Start& start) {
    World world;
    world.limits.window_ms = 8000;
    world.limits.open_for_ms = world.limits.open_max_ms = 5000;
    world.limits.ramp_ms = 1000;
    world.limits.probes = 2;
    world.limits.thresholds[kind] = start.threshold;
    world.breaker.word = static_cast<__u64>(start.state) << 62 | 2ULL << 56 | start.deadline_ms;
    world.breaker.probes = start.succeeded << 16 | start.undecided;
    for (int i = 0; i < start.old; ++i)
        ballast_window_record(&world.breaker, &world.limits, kind, now - round_ms);
    for (int i = 0; i < start.failures; ++i)
        ballast_window_record(&world.breaker, &world.limits, kind, now);
    return world;
}

/// All that can be told apart afterwards; `first` and `second` are what the calls returned.
auto digest(World& world, __u32 first, __u32 second) {
    const ballast_breaker& breaker = world.breaker;
    const bool current = breaker.probes >> 32 == ballast_breaker_generation(breaker.word) &&
                         ballast_breaker_state(breaker.word) == BALLAST_BREAKER_HALF_OPEN;
    return std::tuple(first, second, breaker.word, current ? breaker.probes : 0, world.budget,
                      breaker.opened, breaker.withheld, world.tat_ns, world.steps,
                      ballast_breaker_window_count(&world.breaker, &world.limits, kind, now));
}
using Digest = decltype(digest(std::declval<World&>(), 0, 0));

Digest in_turn(const Start& start, const Call* call, const Call* other, bool other_first = false) {
    World world = begin(start);
    __u32 second = other_first ? other->run(world) : 0;
    const __u32 first = call ? call->run(world) : 0;
    if (other && !other_first)
        second = other->run(world);
    return digest(world, first, second);
}

/// A failure that was observed while the word moved may count in the new generation (W4).
bool same_but_for_one_failure(Digest got, const Digest& expected) {
    if (std::get<9>(got) <= 1)
        std::get<9>(got) = std::get<9>(expected);
    return got == expected;
}

/// What neither order does, but may be where the word has moved: a verdict that belongs to what has
/// ended and comes to nothing, and the first connect() of a half-open period that finds it over.
bool is_known(const Digest& got, const Start& start, const Call& call, const Call& other) {
    if (!std::get<8>(got))
        return false;
    Digest admitted = got;
    if (std::get<0>(admitted) == BALLAST_BREAKER_REFUSE)
        std::get<0>(admitted) = BALLAST_BREAKER_ADMIT_PROBE;
    return same_but_for_one_failure(got, in_turn(start, &call, nullptr)) ||
           same_but_for_one_failure(got, in_turn(start, nullptr, &other, true)) ||
           same_but_for_one_failure(got, in_turn(start, &call, &other)) ||
           same_but_for_one_failure(got, in_turn(start, &call, &other, true)) ||
           admitted == in_turn(start, &call, &other);
}

/// Stops `call` after each of its loads; returns after how many it could be stopped.
int interleave(const Start& start, const Call& call, const Call& other) {
    const Digest call_first = in_turn(start, &call, &other);
    const Digest other_first = in_turn(start, &call, &other, true);
    for (int stop = 1;; ++stop) {
        World world = begin(start);
        bool stopped = false;
        __u32 second = 0;
        interleaved::meanwhile = [&] {
            stopped = true;
            second = other.run(world);
        };
        interleaved::loads_left = stop;
        const __u32 first = call.run(world);
        interleaved::loads_left = 0;
        if (!stopped)
            return stop - 1;
        const Digest got = digest(world, first, second);
        if (got != call_first && got != other_first && !is_known(got, start, call, other))
            fail_msg("%s: %s, stopped after load %d for %s: in no order", start.what, call.what,
                     stop, other.what);
        assert_int_equal(ballast_breaker_generation(world.breaker.word), world.steps);
    }
}

void two_calls_are_one_after_the_other(void**) {
    int stops = 0;
    for (const auto& start : starts)
        for (const auto& call : calls)
            for (const auto& other : calls)
                stops += interleave(start, call, other);
    print_message("# stopped %d times\n", stops);
    assert_true(stops > 5000);
}

} // namespace

TEST_GROUP(breaker_interleaved) {
    const CMUnitTest tests[] = {cmocka_unit_test(two_calls_are_one_after_the_other)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker_interleaved
