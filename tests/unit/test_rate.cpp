// SPDX-License-Identifier: Apache-2.0
// The rate with a burst (bpf/lib/rate.h), its invariants G1 and G2, with threads in place of CPUs.
#include <algorithm>
#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "bpf/lib/rate.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_rate {

namespace {

struct Case {
    const char* what;
    __u64 tat_ns;
    __u64 interval_ns;
    __u64 burst_ns;
    __u64 now_ns;
    ballast_rate_result result;
    __u64 after_ns;
};

void taking_one(void**) {
    static constexpr std::array<Case, 10> cases{{
        {"first of all", 0, 10, 30, 1000, BALLAST_RATE_TAKEN, 1010},
        {"second at once", 1010, 10, 30, 1000, BALLAST_RATE_TAKEN, 1020},
        {"last of the burst", 1020, 10, 30, 1000, BALLAST_RATE_TAKEN, 1030},
        {"over the burst", 1030, 10, 30, 1000, BALLAST_RATE_OVER, 1030},
        {"a moment too early", 1030, 10, 30, 1009, BALLAST_RATE_OVER, 1030},
        {"when due", 1030, 10, 30, 1010, BALLAST_RATE_TAKEN, 1040},
        {"a pause saves up no more than the burst", 1040, 10, 30, 9000, BALLAST_RATE_TAKEN, 9010},
        {"burst below one counts as one", 0, 10, 3, 1000, BALLAST_RATE_TAKEN, 1010},
        {"and no more than one", 1010, 10, 3, 1000, BALLAST_RATE_OVER, 1010},
        {"no limit", 77, 0, 0, 1000, BALLAST_RATE_TAKEN, 77},
    }};
    for (const auto& [what, tat_ns, interval_ns, burst_ns, now_ns, result, after_ns] : cases) {
        __u64 tat = tat_ns;
        print_message("# %s\n", what);
        assert_int_equal(ballast_rate_take(&tat, interval_ns, burst_ns, now_ns), result);
        assert_int_equal(tat, after_ns);
    }
}

/// A bucket of whole tokens and what drips into it, in units of one interval's share.
class Bucket {
public:
    Bucket(__u64 interval_ns, __u64 burst_ns)
        : interval_(interval_ns), size_(std::max(burst_ns, interval_ns)), filled_(size_) {}

    bool take(__u64 now_ns) {
        filled_ = std::min(size_, filled_ + (now_ns - last_));
        last_ = now_ns;
        if (filled_ < interval_)
            return false;
        filled_ -= interval_;
        return true;
    }

private:
    __u64 interval_;
    __u64 size_;
    __u64 filled_;
    __u64 last_ = 0;
};

/// One word decides as the bucket that it stands for would.
void agrees_with_a_bucket(void**) {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        std::mt19937 random(seed);
        const __u64 interval = 1 + random() % 1000;
        const __u64 burst = random() % 20'000;
        Bucket bucket(interval, burst);
        __u64 tat = 0;
        __u64 now = 0;
        for (int step = 0; step < 20'000; ++step) {
            now += random() % 50 ? random() % interval : random() % 40'000;
            const bool taken = ballast_rate_take(&tat, interval, burst, now) == BALLAST_RATE_TAKEN;
            if (taken != bucket.take(now))
                fail_msg("seed %u, step %d: %s", seed, step, taken ? "taken" : "over");
        }
    }
}

/// Threads take as fast as they can on a clock that they push on themselves: never more than burst
/// and time allow (G1), and no less than what they did not lose to each other.
void rate_holds_under_contention(void**) {
    constexpr __u64 interval = 50;
    constexpr __u64 burst = 20 * interval;
    constexpr __u64 start = 1'000'000;
    constexpr int rounds = 300'000;
    alignas(64) static __u64 tat = 0;
    alignas(64) static std::atomic<__u64> clock{start};
    static std::atomic<__u64> taken{0};
    std::vector<std::thread> crowd;
    for (int t = 0; t < 8; ++t)
        crowd.emplace_back([] {
            for (int round = 0; round < rounds; ++round) {
                const __u64 now = clock.fetch_add(3) + 3;
                if (ballast_rate_take(&tat, interval, burst, now) == BALLAST_RATE_TAKEN)
                    ++taken;
            }
        });
    for (auto& thread : crowd)
        thread.join();
    const __u64 allowed = (burst + (clock - start)) / interval;
    print_message("# %llu taken of %llu\n", taken.load(), allowed);
    assert_true(taken <= allowed);
    assert_true(taken > allowed / 2);
}

} // namespace

TEST_GROUP(rate) {
    const CMUnitTest tests[] = {cmocka_unit_test(taking_one),
                                cmocka_unit_test(agrees_with_a_bucket),
                                cmocka_unit_test(rate_holds_under_contention)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_rate
