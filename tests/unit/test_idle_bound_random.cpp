// SPDX-License-Identifier: Apache-2.0
// Long random stories of one path: the invariants at the head of idle_bound.h hold after each
// event.
#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "daemon/guards/keepalive/idle_bound.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_idle_bound_random {

namespace {

using ballast::guards::IdleBound;
using ballast::guards::IdleBracket;
using std::chrono::milliseconds;
using Verdict = IdleBound::Verdict;

constexpr int kStories = 300;
constexpr int kEvents = 2'000;

/// How often each kind of event was met; a story without them proves nothing.
struct Met {
    int unsettled = 0;
    int both_known = 0;
    int discarded = 0;
    int came_back = 0;
    std::array<int, 3> verdicts{};
};

class Story {
public:
    Story(std::uint32_t seed, Met& met) : seed_(seed), random_(seed), met_(met) {
        // A timeout that changes now and then, drops that are none, gaps of one order of magnitude.
        timeout_ = log_uniform(3'000, 4'000'000);
        false_drops_ = random_() % 3 == 0 ? 0.002 : 0.0;
        differs_ = random_() % 3 == 0;
    }

    void run() {
        for (int i = 0; i < kEvents; ++i) {
            pass_time();
            if (chance(0.005))
                timeout_ = log_uniform(3'000, 4'000'000);
            const auto own = static_cast<double>(timeout_);
            const bool is_near = chance(0.5);
            const milliseconds gap(is_near ? log_uniform(0.8 * own, 0.99 * own)
                                           : log_uniform(500, 1.02 * own));
            const double timeout = differs_ ? own * (0.5 + unit()) : own;
            if (static_cast<double>(gap.count()) >= timeout || chance(false_drops_))
                drop(gap);
            else
                acknowledge(gap);
            check_always();
            check_restored();
        }
    }

private:
    double unit() { return std::uniform_real_distribution<>(0, 1)(random_); }
    std::int64_t log_uniform(double least, double most) {
        return static_cast<std::int64_t>(least * std::pow(most / least, unit()));
    }
    bool chance(double probability) { return unit() < probability; }
    void demand(bool holds, const char* what) {
        if (!holds)
            fail_msg("seed %u: %s", seed_, what);
    }

    /// Invariant 2.
    void pass_time() {
        const IdleBracket before = bound_.at(now_);
        if (bound_.save(now_).first_age_ms < 0)
            return;
        now_ += milliseconds(log_uniform(1, chance(0.01) ? 3e8 : 1e6));
        const IdleBracket after = bound_.at(now_);
        demand(!after.died || (before.died && *after.died >= *before.died), "2: died fell");
        demand(!after.unsettled || before.unsettled, "2: unsettled by time");
        const bool rose = after.survived > before.survived;
        demand(!rose || before.died, "2: survived rose");
        demand(!rose || !after.died || *after.survived < *after.died, "2: came back too early");
        demand(!rose || after.survived <= longest_seen_, "2: rose above what was seen");
        met_.came_back += rose;
    }

    /// Invariant 3.
    void acknowledge(milliseconds gap) {
        const IdleBracket before = bound_.at(now_);
        bound_.survived(gap, now_);
        longest_seen_ = std::max(longest_seen_, gap);
        const IdleBracket after = bound_.at(now_);
        demand(!before.survived || (after.survived && *after.survived >= *before.survived),
               "3: survived fell");
        demand(!after.died || (before.died && *after.died == *before.died), "3: died changed");
        if (gap >= IdleBound::shortest && (!before.died || gap < *before.died))
            demand(after.survived && *after.survived >= gap, "3: the gap is not in survived");
        met_.discarded += before.died && !after.died;
    }

    /// Invariant 4.
    void drop(milliseconds gap) {
        const IdleBracket before = bound_.at(now_);
        const Verdict verdict = bound_.died(gap, now_);
        const IdleBracket after = bound_.at(now_);
        ++met_.verdicts.at(static_cast<std::size_t>(verdict));
        demand(!(after.survived > before.survived), "4: survived rose");
        demand(!before.died || (after.died && *after.died <= *before.died), "4: died rose");
        if (verdict != Verdict::counted) {
            demand(after == before, "4: what does not count changed something");
            return;
        }
        demand(after.died && (*after.died <= gap || *after.died == before.died), "4: died > gap");
        demand(!after.survived || *after.survived < gap, "4: survived >= gap");
    }

    /// Invariants 1 and 8.
    void check_always() {
        const IdleBracket bracket = bound_.at(now_);
        demand(!bracket.survived || !bracket.died || *bracket.survived < *bracket.died, "1");
        for (const auto& side : {bracket.survived, bracket.died})
            demand(!side || (*side >= IdleBound::shortest && *side <= IdleBound::longest), "8");
        demand(!bracket.unsettled || bracket.died || now_ < begin_ + IdleBound::settling,
               "unsettled without died");
        met_.unsettled += bracket.unsettled;
        met_.both_known += bracket.survived && bracket.died;
    }

    /// Invariant 7, on a clock that has begun anew.
    void check_restored() {
        const milliseconds away(log_uniform(1, 1e8));
        const milliseconds later(log_uniform(1, 1e8));
        const IdleBound::Monotonic other_clock(milliseconds(log_uniform(1, 1e9)));
        const auto restored = IdleBound::restore(bound_.save(now_), away, other_clock);
        demand(restored.has_value(),
               restored.has_value() ? "" : restored.error().message().c_str());
        demand(restored->at(other_clock) == bound_.at(now_ + away), "7: differs");
        demand(restored->at(other_clock + later) == bound_.at(now_ + away + later),
               "7: differs later");
        demand(restored->save(other_clock + later) == bound_.save(now_ + away + later),
               "7: saved again it differs");
    }

    std::uint32_t seed_;
    std::mt19937 random_;
    Met& met_;
    IdleBound bound_;
    const IdleBound::Monotonic begin_{std::chrono::hours(10'000)};
    IdleBound::Monotonic now_ = begin_;
    std::int64_t timeout_;
    double false_drops_;
    bool differs_;
    milliseconds longest_seen_{0};
};

void invariants_hold(void**) {
    Met met;
    for (std::uint32_t seed = 1; seed <= kStories; ++seed)
        Story(seed, met).run();
    print_message("# unsettled %d, both known %d, discarded %d, came back %d, "
                  "drops known %d, outvoted %d, counted %d\n",
                  met.unsettled, met.both_known, met.discarded, met.came_back, met.verdicts[0],
                  met.verdicts[1], met.verdicts[2]);
    for (const int times : {met.unsettled, met.both_known, met.discarded, met.came_back,
                            met.verdicts[0], met.verdicts[1], met.verdicts[2]})
        assert_true(times > 100);
}

/// Invariant 5: whatever was known and whichever gap was taken for a drop, the bound is as it was
/// once died has doubled often enough.
void one_false_drop_passes(void**) {
    std::mt19937 random(1);
    const auto draw = [&](double least, double most) {
        return least * std::pow(most / least, std::uniform_real_distribution<>(0, 1)(random));
    };
    for (int round = 0; round < 2'000; ++round) {
        IdleBound bound;
        const IdleBound::Monotonic now{std::chrono::hours(1)};
        const double known = draw(3'000, 10'000'000);
        for (int i = static_cast<int>(draw(1, 100)); i > 0; --i)
            bound.survived(milliseconds(static_cast<std::int64_t>(known)), now);
        const double dropped = draw(3'000, 10'000'000);
        bound.died(milliseconds(static_cast<std::int64_t>(dropped)), now);
        const double doublings = std::max(std::log2(known / dropped), 0.0) + 1;
        const auto passed = IdleBound::retry.front() * static_cast<int>(std::ceil(doublings));
        const IdleBracket after = bound.at(now + passed);
        assert_true(!after.died || static_cast<double>(after.died->count()) > known);
        // 10% for a drop that differs by a blur only, 1% for age.
        assert_true(static_cast<double>(after.survived.value_or(milliseconds(0)).count()) >
                    known * 0.8);
        assert_false(after.unsettled);
    }
}

/// Invariant 6: a flow that waits for half of died meets the timeout ever more rarely.
void a_real_timeout_is_met_ever_more_rarely(void**) {
    IdleBound bound;
    const milliseconds timeout{30'000};
    const IdleBound::Monotonic start{std::chrono::hours(1)};
    int met_first_day = 0;
    int met_last_month = 0;
    for (int minute = 0; minute < 90 * 24 * 60; ++minute) {
        const auto now = start + std::chrono::minutes(minute);
        const milliseconds waits = bound.at(now).died.value_or(milliseconds(120'000)) / 2;
        if (waits < timeout)
            continue;
        bound.died(waits, now);
        (minute < 24 * 60 ? met_first_day : met_last_month) += minute < 24 * 60 || minute >= 86'400;
    }
    print_message("# met %d times on the first day, %d times in the last month\n", met_first_day,
                  met_last_month);
    assert_in_range(met_first_day, 2, 6);
    assert_in_range(met_last_month, 1, 5);
}

} // namespace

TEST_GROUP(idle_bound_random) {
    const CMUnitTest tests[] = {cmocka_unit_test(invariants_hold),
                                cmocka_unit_test(one_false_drop_passes),
                                cmocka_unit_test(a_real_timeout_is_met_ever_more_rarely)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_idle_bound_random
