// SPDX-License-Identifier: Apache-2.0
// The sliding window of failures (bpf/lib/breaker_window.h), its invariants W1 to W4.
#include <array>
#include <barrier>
#include <thread>
#include <vector>

#include "bpf/lib/breaker.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_window {

namespace {

constexpr __u32 window_ms = 8000;
constexpr __u64 slot_ms = 1000;
constexpr __u64 now = 5'000'000;
constexpr __u32 kind = BALLAST_FAILURE_RESET;

ballast_breaker_limits window_of(__u32 ms) {
    ballast_breaker_limits limits{};
    limits.window_ms = ms;
    return limits;
}

void record(ballast_breaker& breaker, const ballast_breaker_limits& limits, __u64 at_ms) {
    ballast_window_record(&breaker, &limits, kind, at_ms);
}

__u32 count(ballast_breaker& breaker, const ballast_breaker_limits& limits, __u64 at_ms) {
    return ballast_breaker_window_count(&breaker, &limits, kind, at_ms);
}

struct Case {
    const char* what;
    __u32 window_ms;
    std::array<__u64, 4> failed_at_ms; ///< 0: none
    __u64 counted_at_ms;
    __u32 failures;
};

void sliding(void**) {
    static constexpr __u64 round = slot_ms * 65'536; // until the 16 bits come round again
    static constexpr std::array<Case, 14> cases{{
        {"none", window_ms, {}, now, 0},
        {"at once", window_ms, {now}, now, 1},
        {"in one slot", window_ms, {now, now + 999, now + 500}, now + 999, 3},
        {"in two", window_ms, {now, now + 1000}, now + 1000, 2},
        {"last moment of the window", window_ms, {now}, now + 7999, 1},
        {"out of the window", window_ms, {now}, now + 8000, 0},
        {"the older one is out", window_ms, {now, now + 1000}, now + 8000, 1},
        {"one in the slot of an old one", window_ms, {now, now + 8000}, now + 8000, 1},
        {"old, but numbered as new", window_ms, {now}, now + round, 0},
        {"old, numbered as new, a new one", window_ms, {now, now + round}, now + round, 1},
        {"old, numbered as next", window_ms, {now, now + round - 1000}, now + round - 1000, 1},
        {"late by less than the window", window_ms, {now + 7000, now}, now + 7000, 2},
        {"late by the window", window_ms, {now + 8000, now}, now + 8000, 1},
        {"window of a moment", 0, {now, now + 7, now + 8}, now + 8, 2},
    }};
    for (const auto& row : cases) {
        ballast_breaker breaker{};
        const ballast_breaker_limits limits = window_of(row.window_ms);
        print_message("# %s\n", row.what);
        for (const __u64 at_ms : row.failed_at_ms)
            if (at_ms)
                record(breaker, limits, at_ms);
        assert_int_equal(count(breaker, limits, row.counted_at_ms), row.failures);
        assert_int_equal(ballast_breaker_window_count(&breaker, &limits, kind + 1, now), 0);
        assert_int_equal(ballast_breaker_window_count(&breaker, &limits, 7, now), 0);
    }
}

/// Slots left by a steady trickle of another kind, too, are not taken for new ones (W3).
void old_slots_do_not_come_back(void**) {
    ballast_breaker breaker{};
    const ballast_breaker_limits limits = window_of(window_ms);
    record(breaker, limits, now);
    for (__u64 slot = 1; slot <= 65'536; ++slot) {
        ballast_window_record(&breaker, &limits, kind + 1, now + slot * slot_ms);
        if (slot >= BALLAST_BREAKER_SLOTS)
            assert_int_equal(count(breaker, limits, now + slot * slot_ms), 0);
    }
}

void another_window_starts_from_nothing(void**) {
    ballast_breaker breaker{};
    const ballast_breaker_limits limits = window_of(window_ms);
    const ballast_breaker_limits shorter = window_of(16);
    record(breaker, limits, now);
    assert_int_equal(count(breaker, shorter, now), 0);
    record(breaker, shorter, now);
    assert_int_equal(count(breaker, shorter, now), 1);
    record(breaker, limits, now); // shorter slots have the higher numbers
    assert_int_equal(count(breaker, limits, now), 1);
}

void a_change_of_the_word_empties_the_window(void**) {
    ballast_breaker breaker{};
    const ballast_breaker_limits limits = window_of(window_ms);
    for (int i = 0; i < 3; ++i)
        record(breaker, limits, now);
    breaker.word = ballast_breaker_next(breaker.word, BALLAST_BREAKER_RAMP, 0, now + 1);
    assert_int_equal(count(breaker, limits, now), 0);
    record(breaker, limits, now);
    assert_int_equal(count(breaker, limits, now), 1);
}

void counts_saturate(void**) {
    ballast_breaker breaker{};
    const ballast_breaker_limits limits = window_of(window_ms);
    for (int i = 0; i < 70'000; ++i)
        record(breaker, limits, now);
    assert_int_equal(count(breaker, limits, now), 0xffff);
    record(breaker, limits, now + slot_ms);
    assert_int_equal(count(breaker, limits, now + slot_ms), 0x10000);
}

struct Addition {
    const char* what;
    __u32 slot;
    __u32 after;
    __u32 after_contended;
};

void adding_to_a_slot(void**) {
    static constexpr std::array<Addition, 6> cases{{
        {"empty", 0, 0x00170001, 0},
        {"its own", 0x00170004, 0x00170005, 0x00170005},
        {"near its end", 0x0017fffe, 0x0017ffff, 0x0017fffe},
        {"full", 0x0017ffff, 0x0017ffff, 0x0017ffff},
        {"an older one's", 0x000f0004, 0x00170001, 0x000f0004},
        {"a later one's", 0x001f0004, 0x001f0004, 0x001f0004},
    }};
    for (const auto& [what, before, after, after_contended] : cases) {
        print_message("# %s\n", what);
        __u32 slot = before;
        ballast_window_add(&slot, 0x17);
        assert_int_equal(slot, after);
        slot = before;
        ballast_window_add_contended(&slot, 0x17);
        assert_int_equal(slot, after_contended);
    }
}

/// Threads that meet at the first failures of another window, whose slots bear the numbers of the
/// last: all of theirs count, none of the old (W2, W4).
void no_failure_is_lost_to_a_wipe(void**) {
    constexpr int threads = 4;
    constexpr int rounds = 10'000;
    constexpr __u32 each = 10;
    static ballast_breaker breaker{};
    static const ballast_breaker_limits limits = window_of(window_ms);
    static int wrong = 0;
    static __u64 at_ms = now;
    static std::barrier begin(threads);
    static std::barrier end(threads, []() noexcept {
        wrong += count(breaker, limits, at_ms) != threads * each;
        at_ms += slot_ms * 65'536;
    });
    std::vector<std::thread> crowd;
    for (int t = 0; t < threads; ++t)
        crowd.emplace_back([] {
            for (int round = 0; round < rounds; ++round) {
                begin.arrive_and_wait();
                for (__u32 i = 0; i < each; ++i)
                    record(breaker, limits, at_ms);
                end.arrive_and_wait();
            }
        });
    for (auto& thread : crowd)
        thread.join();
    assert_int_equal(wrong, 0);
}

} // namespace

TEST_GROUP(breaker_window) {
    const CMUnitTest tests[] = {cmocka_unit_test(sliding),
                                cmocka_unit_test(old_slots_do_not_come_back),
                                cmocka_unit_test(another_window_starts_from_nothing),
                                cmocka_unit_test(a_change_of_the_word_empties_the_window),
                                cmocka_unit_test(counts_saturate),
                                cmocka_unit_test(adding_to_a_slot),
                                cmocka_unit_test(no_failure_is_lost_to_a_wipe)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker_window
