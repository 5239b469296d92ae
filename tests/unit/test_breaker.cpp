// SPDX-License-Identifier: Apache-2.0
// The circuit breaker (bpf/lib/breaker.h), rule by rule. Long random sequences against a plain
// model are in test_breaker_model.cpp, its window in test_breaker_window.cpp, threads in
// test_breaker_threads.cpp.
#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "bpf/lib/breaker.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker {

namespace {

constexpr __u64 now = 1'000'000;

constexpr ballast_breaker_limits policy() {
    ballast_breaker_limits limits{};
    limits.window_ms = 8000;
    limits.open_for_ms = 5000;
    limits.open_max_ms = 60'000;
    limits.ramp_ms = 10'000;
    limits.thresholds[BALLAST_FAILURE_REFUSED] = 3;
    limits.thresholds[BALLAST_FAILURE_TIMED_OUT] = 1;
    limits.probes = 2;
    limits.ramp_start = 10;
    return limits;
}

constexpr __u64 word_of(__u32 state, __u32 level, __u64 deadline_ms) {
    return static_cast<__u64>(state) << 62 | static_cast<__u64>(level) << 56 | deadline_ms;
}

ballast_breaker breaker_in(__u32 state, __u32 level = 0, __u64 deadline_ms = 0) {
    ballast_breaker breaker{};
    breaker.word = word_of(state, level, deadline_ms);
    return breaker;
}

ballast_breaker_event refused_at(__u64 now_ms, __u32 is_probe = 0) {
    return {.now_ms = now_ms,
            .began_ms = 0,
            .who = 0,
            .kind = BALLAST_FAILURE_REFUSED,
            .is_probe = is_probe,
            .is_given_up = 0,
            .error = ECONNREFUSED,
            .random = 1U << 31U,
            .reserved = 0};
}

struct Admission {
    const char* what;
    __u32 state;
    __u64 deadline_ms;
    __u32 forced;
    __u64 forced_until_ms;
    ballast_breaker_verdict verdict;
    __u32 after;
};

void admitting(void**) {
    static constexpr std::array<Admission, 13> cases{{
        {"closed", BALLAST_BREAKER_CLOSED, 0, 0, 0, BALLAST_BREAKER_ADMIT, BALLAST_BREAKER_CLOSED},
        {"open", BALLAST_BREAKER_OPEN, now + 1, 0, 0, BALLAST_BREAKER_REFUSE, BALLAST_BREAKER_OPEN},
        {"open, at its deadline", BALLAST_BREAKER_OPEN, now, 0, 0, BALLAST_BREAKER_ADMIT_PROBE,
         BALLAST_BREAKER_HALF_OPEN},
        {"half-open", BALLAST_BREAKER_HALF_OPEN, now + 1, 0, 0, BALLAST_BREAKER_ADMIT_PROBE,
         BALLAST_BREAKER_HALF_OPEN},
        {"half-open, its probes forgotten", BALLAST_BREAKER_HALF_OPEN, now, 0, 0,
         BALLAST_BREAKER_ADMIT_PROBE, BALLAST_BREAKER_HALF_OPEN},
        {"ramp", BALLAST_BREAKER_RAMP, now + 1, 0, 0, BALLAST_BREAKER_ADMIT, BALLAST_BREAKER_RAMP},
        {"ramp, at its deadline", BALLAST_BREAKER_RAMP, now, 0, 0, BALLAST_BREAKER_ADMIT,
         BALLAST_BREAKER_CLOSED},
        {"forced open", BALLAST_BREAKER_CLOSED, 0, BALLAST_FORCE_OPEN, 0, BALLAST_BREAKER_REFUSE,
         BALLAST_BREAKER_CLOSED},
        {"forced open for a while", BALLAST_BREAKER_CLOSED, 0, BALLAST_FORCE_OPEN, now + 1,
         BALLAST_BREAKER_REFUSE, BALLAST_BREAKER_CLOSED},
        {"forced open until now", BALLAST_BREAKER_CLOSED, 0, BALLAST_FORCE_OPEN, now,
         BALLAST_BREAKER_ADMIT, BALLAST_BREAKER_CLOSED},
        {"forced closed", BALLAST_BREAKER_OPEN, now + 1, BALLAST_FORCE_CLOSED, 0,
         BALLAST_BREAKER_ADMIT, BALLAST_BREAKER_OPEN},
        {"forced closed, no probe", BALLAST_BREAKER_OPEN, now, BALLAST_FORCE_CLOSED, 0,
         BALLAST_BREAKER_ADMIT, BALLAST_BREAKER_OPEN},
        {"forced closed until now", BALLAST_BREAKER_OPEN, now + 1, BALLAST_FORCE_CLOSED, now,
         BALLAST_BREAKER_REFUSE, BALLAST_BREAKER_OPEN},
    }};
    const ballast_breaker_limits limits = policy();
    for (const auto& row : cases) {
        print_message("# %s\n", row.what);
        ballast_breaker breaker = breaker_in(row.state, 2, row.deadline_ms);
        breaker.forced = row.forced;
        breaker.forced_until_ms = row.forced_until_ms;
        const __u64 before = breaker.word;
        ballast_breaker_change change;
        assert_int_equal(ballast_breaker_admit(&breaker, &limits, now, &change), row.verdict);
        assert_int_equal(ballast_breaker_state(breaker.word), row.after);
        assert_int_equal(change.changed, breaker.word != before);
        assert_int_equal(ballast_breaker_generation(breaker.word), change.changed);
        if (change.changed)
            assert_true(change.from == row.state && change.to == row.after &&
                        change.word == breaker.word);
    }
}

struct Opening {
    const char* what;
    __u32 state;
    __u64 deadline_ms;
    __u32 kind;
    __u32 is_probe;
    int failures;
    __u32 forced;
    __u32 budget;
    ballast_breaker_outcome outcome;
    __u32 after;
    __u32 level;
    __u32 budget_after;
};

constexpr __u32 refused = BALLAST_FAILURE_REFUSED;
constexpr __u32 timed_out = BALLAST_FAILURE_TIMED_OUT;
constexpr __u32 unreachable = BALLAST_FAILURE_UNREACHABLE;
constexpr __u32 closed = BALLAST_BREAKER_CLOSED;
constexpr __u32 opened = BALLAST_BREAKER_OPEN;
constexpr __u32 halved = BALLAST_BREAKER_HALF_OPEN;
constexpr __u32 ramped = BALLAST_BREAKER_RAMP;

/// The level is 2 before.
constexpr std::array<Opening, 16> openings{{
    {"below the threshold", closed, 0, refused, 0, 2, 0, 5, BALLAST_BREAKER_COUNTED, closed, 2, 5},
    {"at the threshold", closed, 0, refused, 0, 3, 0, 5, BALLAST_BREAKER_OPENED, opened, 0, 4},
    {"threshold of one", closed, 0, timed_out, 0, 1, 0, 5, BALLAST_BREAKER_OPENED, opened, 0, 4},
    {"ignored kind", closed, 0, unreachable, 0, 90, 0, 5, BALLAST_BREAKER_COUNTED, closed, 2, 5},
    {"no such kind", closed, 0, 6, 0, 90, 0, 5, BALLAST_BREAKER_COUNTED, closed, 2, 5},
    {"no budget", closed, 0, refused, 0, 3, 0, 0, BALLAST_BREAKER_WITHHELD, closed, 2, 0},
    {"held closed", closed, 0, refused, 0, 3, BALLAST_FORCE_CLOSED, 5, BALLAST_BREAKER_WITHHELD,
     closed, 2, 5},
    {"held open", closed, 0, refused, 0, 3, BALLAST_FORCE_OPEN, 5, BALLAST_BREAKER_OPENED, opened,
     0, 4},
    {"in the ramp", ramped, now + 1, refused, 0, 3, 0, 5, BALLAST_BREAKER_OPENED, opened, 3, 4},
    {"in the ramp, no budget", ramped, now + 1, refused, 0, 3, 0, 0, BALLAST_BREAKER_WITHHELD,
     ramped, 2, 0},
    {"after the ramp", ramped, now, refused, 0, 3, 0, 5, BALLAST_BREAKER_OPENED, opened, 0, 4},
    {"probe", halved, now + 9, refused, 1, 1, 0, 0, BALLAST_BREAKER_OPENED, opened, 3, 0},
    {"probe of an ignored kind", halved, now + 9, unreachable, 1, 1, 0, 0, BALLAST_BREAKER_OPENED,
     opened, 3, 0},
    {"probe, held closed", halved, now + 9, refused, 1, 1, BALLAST_FORCE_CLOSED, 5,
     BALLAST_BREAKER_WITHHELD, halved, 2, 5},
    {"straggler while half-open", halved, now + 9, refused, 0, 9, 0, 5, BALLAST_BREAKER_COUNTED,
     halved, 2, 5},
    {"straggler while open", opened, now + 9, refused, 1, 9, 0, 5, BALLAST_BREAKER_COUNTED, opened,
     2, 5},
}};

void opening(void**) {
    const ballast_breaker_limits limits = policy();
    for (const auto& row : openings) {
        print_message("# %s\n", row.what);
        ballast_breaker breaker = breaker_in(row.state, 2, row.deadline_ms);
        breaker.forced = row.forced;
        __u32 budget = row.budget;
        ballast_breaker_event event = refused_at(now, row.is_probe);
        event.kind = row.kind;
        ballast_breaker_change change;
        ballast_breaker_outcome outcome{};
        for (int i = 0; i < row.failures; ++i) {
            assert_int_equal(outcome, BALLAST_BREAKER_COUNTED);
            outcome = ballast_breaker_failure(&breaker, &limits, &event, &budget, &change);
        }
        assert_int_equal(outcome, row.outcome);
        assert_int_equal(ballast_breaker_state(breaker.word), row.after);
        assert_int_equal(ballast_breaker_level(breaker.word), row.level);
        assert_int_equal(budget, row.budget_after);
        assert_int_equal(breaker.opened, row.outcome == BALLAST_BREAKER_OPENED);
        assert_int_equal(breaker.withheld, row.outcome == BALLAST_BREAKER_WITHHELD);
        assert_int_equal(change.changed, row.outcome == BALLAST_BREAKER_OPENED);
    }
}

void opening_tells_its_evidence(void**) {
    const ballast_breaker_limits limits = policy();
    ballast_breaker breaker{};
    ballast_breaker_change change;
    ballast_breaker_event event = refused_at(now);
    event.kind = unreachable;
    event.error = EHOSTUNREACH;
    for (int i = 0; i < 7; ++i)
        ballast_breaker_failure(&breaker, &limits, &event, nullptr, &change);
    assert_int_equal(breaker.last_error, EHOSTUNREACH);
    event = refused_at(now + 1);
    for (int i = 0; i < 3; ++i)
        ballast_breaker_failure(&breaker, &limits, &event, nullptr, &change);
    assert_int_equal(change.counts[unreachable], 7);
    assert_int_equal(change.counts[refused], 3);
    assert_int_equal(breaker.last_error, ECONNREFUSED);
    assert_int_equal(breaker.since_ms, now + 1);
    assert_int_equal(ballast_breaker_deadline_ms(breaker.word), now + 1 + 5000);
    assert_int_equal(ballast_breaker_window_count(&breaker, &limits, refused, now + 1), 0);
}

struct Duration {
    const char* what;
    __u32 open_for_ms;
    __u32 open_max_ms;
    __u32 level;
    __u32 random;
    __u64 open_ms;
};

void staying_open(void**) {
    static constexpr __u32 most = 0xffffffff;
    static constexpr std::array<Duration, 12> cases{{
        {"shortest", 1000, 60'000, 0, 0, 750},
        {"middle", 1000, 60'000, 0, 1U << 31U, 1000},
        {"longest", 1000, 60'000, 0, most, 1250},
        {"doubles", 1000, 60'000, 1, 1U << 31U, 2000},
        {"doubles again", 1000, 60'000, 5, 1U << 31U, 32'000},
        {"up to open_max", 1000, 60'000, 6, 1U << 31U, 60'000},
        {"at the highest level", 1000, 60'000, 63, 1U << 31U, 60'000},
        {"open_max below open_for", 1000, 500, 0, 1U << 31U, 500},
        {"never 0", 0, 0, 0, 0, 1},
        {"never 0 at the highest level", 0, 60'000, 63, 0, 1},
        {"too short to jitter", 2, 2, 0, most, 2},
        {"the longest there is", most, most, 63, most, 5'368'709'118},
    }};
    for (const auto& [what, open_for_ms, open_max_ms, level, random, open_ms] : cases) {
        ballast_breaker_limits limits{};
        limits.open_for_ms = open_for_ms;
        limits.open_max_ms = open_max_ms;
        print_message("# %s\n", what);
        assert_int_equal(ballast_breaker_open_ms(&limits, level, random), open_ms);
    }
}

/// Each quarter of the random numbers falls into its quarter of the span.
void jitter_is_uniform(void**) {
    ballast_breaker_limits limits{};
    limits.open_for_ms = limits.open_max_ms = 1000;
    std::array<int, 4> quarters{};
    for (__u64 random = 0; random < 1ULL << 32U; random += 65'537)
        ++quarters[std::min<__u64>(
            (ballast_breaker_open_ms(&limits, 0, static_cast<__u32>(random)) - 750) / 125, 3)];
    for (const int count : quarters)
        assert_in_range(count, 16'000, 16'800);
}

void level_is_capped(void**) {
    const ballast_breaker_limits limits = policy();
    ballast_breaker breaker = breaker_in(halved, 63, now + 9);
    ballast_breaker_change change;
    const ballast_breaker_event event = refused_at(now, 1);
    assert_int_equal(ballast_breaker_failure(&breaker, &limits, &event, nullptr, &change),
                     BALLAST_BREAKER_OPENED);
    assert_int_equal(ballast_breaker_level(breaker.word), 63);
    assert_int_equal(ballast_breaker_state(breaker.word), opened);
}

struct Ramp {
    const char* what;
    __u32 state;
    __u64 passed_ms;
    __u8 start;
    __u32 max;
    __u32 limit;
};

void ramping(void**) {
    static constexpr std::array<Ramp, 14> cases{{
        {"begin", ramped, 0, 10, 50, 5},
        {"begin, rounded up", ramped, 0, 10, 41, 5},
        {"begin, at least 1", ramped, 0, 0, 50, 1},
        {"begin with all", ramped, 0, 100, 50, 50},
        {"more than all", ramped, 0, 255, 50, 50},
        {"half way", ramped, 5000, 10, 50, 27},
        {"a moment before its end", ramped, 9999, 10, 50, 49},
        {"end", ramped, 10'000, 10, 50, 50},
        {"after it", ramped, 90'000, 10, 50, 50},
        {"limit of 1", ramped, 0, 10, 1, 1},
        {"limit of 0", ramped, 0, 10, 0, 0},
        {"no limit", ramped, 0, 10, BALLAST_UNLIMITED, BALLAST_UNLIMITED},
        {"largest limit", ramped, 5000, 0, BALLAST_UNLIMITED - 1, 0x7fffffff},
        {"closed", closed, 0, 10, 50, 50},
    }};
    for (const auto& [what, state, passed_ms, start, max, limit] : cases) {
        ballast_breaker_limits limits = policy();
        limits.ramp_start = start;
        print_message("# %s\n", what);
        const __u64 word = word_of(state, 0, now + limits.ramp_ms);
        assert_int_equal(ballast_breaker_ramped_limit(word, &limits, max, now + passed_ms), limit);
    }
    ballast_breaker_limits shorter = policy();
    shorter.ramp_ms = 100; // since a reload
    const __u64 word = word_of(ramped, 0, now + 10'000);
    assert_int_equal(ballast_breaker_ramped_limit(word, &shorter, 50, now), 5);
    shorter.ramp_ms = 0;
    assert_int_equal(ballast_breaker_ramped_limit(word, &shorter, 50, now), 50);
}

/// One letter a call: a admit, s success of a probe, S of another, l probe lost, f failure of a
/// probe. Expected: of each admission p probe, r refused, + admitted.
struct Probing {
    const char* what;
    __u16 probes;
    __u32 ramp_ms;
    const char* calls;
    const char* verdicts;
    __u32 after;
};

std::string play(ballast_breaker& breaker, const ballast_breaker_limits& limits,
                 const char* calls) {
    std::string verdicts;
    ballast_breaker_change change;
    const ballast_breaker_event event = refused_at(now, 1);
    for (; *calls; ++calls) {
        if (*calls == 'a')
            verdicts += "+pr"[ballast_breaker_admit(&breaker, &limits, now, &change)];
        if (*calls == 's' || *calls == 'S')
            ballast_breaker_success(&breaker, &limits, *calls == 's', 0, now, &change);
        if (*calls == 'l')
            ballast_breaker_probe_lost(&breaker);
        if (*calls == 'f')
            ballast_breaker_failure(&breaker, &limits, &event, nullptr, &change);
    }
    return verdicts;
}

void probing(void**) {
    static constexpr std::array<Probing, 12> cases{{
        {"one probe", 1, 10, "aaa", "prr", halved},
        {"three probes", 3, 10, "aaaaa", "ppprr", halved},
        {"0 counts as 1", 0, 10, "aa", "pr", halved},
        {"one succeeds, closes", 1, 10, "asa", "p+", ramped},
        {"no ramp", 1, 0, "asa", "p+", closed},
        {"succeeded ones keep their places", 3, 10, "aasaa", "pppr", halved},
        {"all succeed", 3, 10, "aasasas", "pppr", ramped},
        {"success of no probe", 1, 10, "aSa", "pr", halved},
        {"success without a place", 2, 10, "ass", "p", halved},
        {"lost one gives its place back", 1, 10, "alaa", "ppr", halved},
        {"nothing to give back", 1, 10, "llaa", "pr", halved},
        {"failure ends it", 3, 10, "aasfa", "ppr", opened},
    }};
    for (const auto& [what, probes, ramp_ms, calls, verdicts, after] : cases) {
        ballast_breaker_limits limits = policy();
        limits.probes = probes;
        limits.ramp_ms = ramp_ms;
        ballast_breaker breaker = breaker_in(halved, 2, now + 1000);
        print_message("# %s\n", what);
        const std::string made = play(breaker, limits, calls);
        assert_string_equal(made.c_str(), verdicts);
        assert_int_equal(ballast_breaker_state(breaker.word), after);
    }
}

/// A period in which nobody comes back gives way to the next, with places of its own.
void lost_probes_are_forgotten(void**) {
    ballast_breaker_limits limits = policy();
    limits.probes = 1;
    limits.open_for_ms = 10; // probes get a second all the same
    ballast_breaker breaker = breaker_in(opened, 2, now);
    ballast_breaker_change change;
    assert_int_equal(ballast_breaker_admit(&breaker, &limits, now, &change),
                     BALLAST_BREAKER_ADMIT_PROBE);
    assert_int_equal(ballast_breaker_deadline_ms(breaker.word), now + 1000);
    assert_int_equal(ballast_breaker_admit(&breaker, &limits, now + 999, &change),
                     BALLAST_BREAKER_REFUSE);
    assert_int_equal(ballast_breaker_admit(&breaker, &limits, now + 1000, &change),
                     BALLAST_BREAKER_ADMIT_PROBE);
    assert_true(change.changed && change.from == halved && change.to == halved);
    assert_int_equal(breaker.since_ms, now);
    assert_int_equal(ballast_breaker_admit(&breaker, &limits, now + 1001, &change),
                     BALLAST_BREAKER_REFUSE);
    ballast_breaker_success(&breaker, &limits, true, 0, now + 1002, &change);
    assert_int_equal(ballast_breaker_state(breaker.word), ramped);
    assert_int_equal(ballast_breaker_level(breaker.word), 2);
}

struct Hint {
    const char* what;
    __u32 state;
    __u32 forced;
    bool skip;
};

void closed_for_good(void**) {
    static constexpr std::array<Hint, 6> cases{{
        {"closed", closed, BALLAST_FORCE_NONE, true},
        {"open", opened, BALLAST_FORCE_NONE, false},
        {"half-open", halved, BALLAST_FORCE_NONE, false},
        {"ramp", ramped, BALLAST_FORCE_NONE, false},
        {"forced open", closed, BALLAST_FORCE_OPEN, false},
        {"forced closed", closed, BALLAST_FORCE_CLOSED, false},
    }};
    for (const auto& [what, state, forced, skip] : cases) {
        ballast_breaker breaker = breaker_in(state);
        breaker.forced = forced;
        print_message("# %s\n", what);
        assert_int_equal(ballast_breaker_is_closed_for_good(&breaker), skip);
    }
}

} // namespace

TEST_GROUP(breaker) {
    const CMUnitTest tests[] = {cmocka_unit_test(admitting),
                                cmocka_unit_test(opening),
                                cmocka_unit_test(opening_tells_its_evidence),
                                cmocka_unit_test(staying_open),
                                cmocka_unit_test(jitter_is_uniform),
                                cmocka_unit_test(level_is_capped),
                                cmocka_unit_test(ramping),
                                cmocka_unit_test(probing),
                                cmocka_unit_test(lost_probes_are_forgotten),
                                cmocka_unit_test(closed_for_good)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker
