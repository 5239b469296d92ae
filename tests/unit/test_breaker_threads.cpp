// SPDX-License-Identifier: Apache-2.0
// The breaker (bpf/lib/breaker.h) with threads in place of CPUs: its invariants B1, B3 and B4.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "bpf/lib/breaker.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_threads {

namespace {

constexpr int threads = 4;
constexpr __u64 start_ms = 1'000'000;

void in_threads(void (*work)(unsigned)) {
    std::vector<std::thread> crowd;
    for (unsigned t = 0; t < threads; ++t)
        crowd.emplace_back(work, t);
    for (auto& thread : crowd)
        thread.join();
}

ballast_breaker_limits policy(__u16 probes) {
    ballast_breaker_limits limits{};
    limits.window_ms = 8000;
    limits.open_for_ms = 4;
    limits.open_max_ms = 16;
    limits.ramp_ms = 2;
    limits.thresholds[BALLAST_FAILURE_REFUSED] = 2;
    limits.probes = probes;
    return limits;
}

/// Each that got a probe's place counts itself among the holders until just before it gives it
/// back: never more than `probes`, and none left behind (B3).
void probes_are_never_too_many(void**) {
    static constexpr __u16 probes = 1;
    static const ballast_breaker_limits limits = policy(probes);
    static ballast_breaker breaker{};
    static std::atomic<int> holders{0};
    static std::atomic<int> most{0};
    static std::atomic<long> probed{0};
    breaker.word = ballast_breaker_next(0, BALLAST_BREAKER_HALF_OPEN, 0, start_ms + 1);
    in_threads([](unsigned) {
        ballast_breaker_change change;
        for (int round = 0; round < 300'000; ++round) {
            if (ballast_breaker_admit(&breaker, &limits, start_ms, &change) !=
                BALLAST_BREAKER_ADMIT_PROBE)
                continue;
            const int held = ++holders;
            for (int seen = most; held > seen && !most.compare_exchange_weak(seen, held);) {
            }
            ++probed;
            --holders;
            ballast_breaker_probe_lost(&breaker);
        }
    });
    assert_true(most <= probes);
    assert_true(probed > 1000);
    assert_int_equal(ballast_probes_undecided(breaker.probes), 0);
}

/// What all threads saw happen.
struct Tally {
    std::atomic<__u64> changes{0};
    std::atomic<__u64> opened{0};
    std::atomic<__u64> paid{0};
    std::atomic<__u64> withheld{0};
    std::atomic<__u64> too_many{0};

    void add(const ballast_breaker_change& change) {
        changes += change.changed;
        paid += change.changed && change.to == BALLAST_BREAKER_OPEN &&
                change.from != BALLAST_BREAKER_HALF_OPEN;
    }

    void add(ballast_breaker_outcome outcome) {
        opened += outcome == BALLAST_BREAKER_OPENED;
        withheld += outcome == BALLAST_BREAKER_WITHHELD;
    }
};

struct Shared {
    ballast_breaker breaker{};
    ballast_breaker_limits limits = policy(3);
    __u32 budget = 2000;
    std::atomic<__u64> clock_ms{start_ms};
    Tally tally;

    void look() {
        const __u64 probes = BALLAST_LOAD(breaker.probes);
        tally.too_many +=
            ballast_probes_undecided(probes) + ballast_probes_succeeded(probes) > limits.probes;
    }

    /// One connection: what became of it is chance.
    void connect(std::mt19937& random) {
        ballast_breaker_change change;
        const __u64 now_ms = clock_ms += random() % 4 == 0;
        const auto verdict = ballast_breaker_admit(&breaker, &limits, now_ms, &change);
        tally.add(change);
        look();
        if (verdict == BALLAST_BREAKER_REFUSE)
            return;
        const bool is_probe = verdict == BALLAST_BREAKER_ADMIT_PROBE;
        if (random() % 3 && is_probe)
            ballast_breaker_success(&breaker, &limits, is_probe, 0, now_ms, &change);
        else
            fail(change, is_probe, now_ms, random);
        tally.add(change);
        look();
    }

    void fail(ballast_breaker_change& change, bool is_probe, __u64 now_ms, std::mt19937& random) {
        const ballast_breaker_event event{.now_ms = now_ms,
                                          .began_ms = 0,
                                          .who = 0,
                                          .kind = BALLAST_FAILURE_REFUSED,
                                          .is_probe = is_probe,
                                          .is_given_up = 0,
                                          .error = 111,
                                          .random = static_cast<__u32>(random()),
                                          .reserved = 0};
        tally.add(ballast_breaker_failure(&breaker, &limits, &event, &budget, &change));
    }
};

/// Connections that fail and succeed at random on one breaker: each change is reported by one (B1),
/// each opening out of CLOSED or RAMP paid for (B4), no period has too many probes (B3).
void changes_are_reported_and_paid_for_once(void**) {
    static Shared shared;
    in_threads([](unsigned seed) {
        std::mt19937 random(seed);
        for (int round = 0; round < 300'000; ++round)
            shared.connect(random);
    });
    const Tally& tally = shared.tally;
    print_message("# %llu changes, %llu opened, %llu paid for, %llu withheld, %u left\n",
                  tally.changes.load(), tally.opened.load(), tally.paid.load(),
                  tally.withheld.load(), shared.budget);
    assert_int_equal(ballast_breaker_generation(shared.breaker.word), tally.changes % 256);
    assert_int_equal(shared.breaker.opened, tally.opened);
    assert_int_equal(shared.breaker.withheld, tally.withheld);
    assert_int_equal(shared.budget + tally.paid, 2000);
    assert_int_equal(tally.too_many, 0);
    assert_true(tally.paid == 2000 && tally.opened > tally.paid);
}

/// Many breakers that want to open at once, one budget: exactly as many open as it holds (B4).
void a_shared_budget_is_never_overdrawn(void**) {
    static constexpr __u32 held = 300;
    static std::vector<ballast_breaker> breakers(1000);
    static const ballast_breaker_limits limits = policy(1);
    static __u32 budget = held;
    static std::atomic<__u32> opened{0};
    in_threads([](unsigned) {
        ballast_breaker_change change;
        const ballast_breaker_event event{.now_ms = start_ms,
                                          .began_ms = 0,
                                          .who = 0,
                                          .kind = BALLAST_FAILURE_REFUSED,
                                          .is_probe = 0,
                                          .is_given_up = 0,
                                          .error = 111,
                                          .random = 0,
                                          .reserved = 0};
        for (int round = 0; round < 10; ++round)
            for (auto& breaker : breakers)
                opened += ballast_breaker_failure(&breaker, &limits, &event, &budget, &change) ==
                          BALLAST_BREAKER_OPENED;
    });
    assert_int_equal(budget, 0);
    assert_int_equal(opened, held);
}

} // namespace

TEST_GROUP(breaker_threads) {
    const CMUnitTest tests[] = {cmocka_unit_test(probes_are_never_too_many),
                                cmocka_unit_test(changes_are_reported_and_paid_for_once),
                                cmocka_unit_test(a_shared_budget_is_never_overdrawn)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_breaker_threads
