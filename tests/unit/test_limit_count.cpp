// SPDX-License-Identifier: Apache-2.0
// The count under a limit (bpf/lib/limit.h), its invariants C1 to C4, with threads in place of
// CPUs.
#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "bpf/lib/limit.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_limit_count {

namespace {

struct Case {
    const char* what;
    __u32 in_use;
    __u32 max;
    ballast_take_result result;
    __u32 after;
};

void taking_a_place(void**) {
    static constexpr std::array<Case, 7> cases{{
        {"first of one", 0, 1, BALLAST_TAKEN, 1},
        {"last place", 9, 10, BALLAST_TAKEN, 10},
        {"full", 10, 10, BALLAST_TAKE_FULL, 10},
        {"over, since the limit shrank", 12, 10, BALLAST_TAKE_FULL, 12},
        {"counted only", 1'000'000, BALLAST_UNLIMITED, BALLAST_TAKEN, 1'000'001},
        {"retired and empty", BALLAST_RETIRED, 10, BALLAST_TAKE_RETIRED, BALLAST_RETIRED},
        {"retired, counted only", BALLAST_RETIRED, BALLAST_UNLIMITED, BALLAST_TAKE_RETIRED,
         BALLAST_RETIRED},
    }};
    for (const auto& [what, in_use, max, result, after] : cases) {
        __u32 count = in_use;
        print_message("# %s\n", what);
        assert_int_equal(ballast_take(&count, max), result);
        assert_int_equal(count, after);
        count = in_use;
        assert_int_equal(ballast_take_contended(&count, max), result);
        assert_int_equal(count, after);
    }
}

void giving_back_never_wraps(void**) {
    __u32 count = 1;
    assert_true(ballast_give_back(&count));
    assert_false(ballast_give_back(&count));
    assert_int_equal(count, 0);
    count = BALLAST_RETIRED;
    assert_false(ballast_give_back(&count));
    assert_int_equal(count, BALLAST_RETIRED);
}

/// Threads take and give back as fast as they can; each time one holds a place it counts itself
/// among the holders, who must never be more than the limit (C1).
void limit_holds_under_contention(void**) {
    constexpr __u32 limit = 3;
    constexpr int threads = 8;
    constexpr int rounds = 200'000;
    alignas(64) static __u32 in_use = 0;
    static std::atomic<int> holders{0};
    static std::atomic<int> most{0};
    static std::atomic<long> taken{0};
    std::vector<std::thread> crowd;
    for (int t = 0; t < threads; ++t)
        crowd.emplace_back([] {
            for (int round = 0; round < rounds; ++round) {
                if (ballast_take(&in_use, limit) != BALLAST_TAKEN)
                    continue;
                const int now = ++holders;
                for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
                }
                ++taken;
                --holders;
                ballast_give_back(&in_use);
            }
        });
    for (auto& thread : crowd)
        thread.join();
    assert_true(most <= static_cast<int>(limit));
    assert_true(taken > 0);
    assert_int_equal(in_use, 0);
}

/// With as many takers as places, nobody may be turned away: a failing attempt occupies nothing
/// (C2).
void places_that_are_free_are_given(void**) {
    constexpr __u32 limit = 2;
    constexpr int rounds = 100'000;
    alignas(64) static __u32 in_use = 0;
    static std::atomic<long> full{0};
    const auto use = [] {
        for (int round = 0; round < rounds; ++round) {
            if (ballast_take(&in_use, limit) != BALLAST_TAKEN) {
                ++full;
                continue;
            }
            ballast_give_back(&in_use);
        }
    };
    std::thread first(use);
    std::thread second(use);
    first.join();
    second.join();
    assert_int_equal(full, 0);
    assert_int_equal(in_use, 0);
}

} // namespace

TEST_GROUP(limit_count) {
    const CMUnitTest tests[] = {cmocka_unit_test(taking_a_place),
                                cmocka_unit_test(giving_back_never_wraps),
                                cmocka_unit_test(limit_holds_under_contention),
                                cmocka_unit_test(places_that_are_free_are_given)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_limit_count
