// SPDX-License-Identifier: Apache-2.0
// Keepalive for random bounds and random sockets: the invariants at the head of keepalive_choice.h.
#include <algorithm>
#include <cmath>
#include <random>

#include "daemon/guards/keepalive/keepalive_choice.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_keepalive_choice_random {

namespace {

using namespace ballast::guards;
using std::chrono::milliseconds;

constexpr int kRounds = 200'000;

class Draw {
public:
    explicit Draw(std::uint32_t seed) : random_(seed) {}
    bool chance(double probability) { return unit() < probability; }
    std::int64_t log_uniform(double least, double most) {
        return static_cast<std::int64_t>(least * std::pow(most / least, unit()));
    }
    std::int64_t seconds_or_0(double most) {
        return chance(0.4) ? 0 : log_uniform(1, most) * 1'000;
    }
    std::uint32_t number() { return static_cast<std::uint32_t>(random_()); }

    IdleBracket bracket() {
        IdleBracket drawn;
        if (chance(0.7))
            drawn.died = milliseconds(log_uniform(2'000, 2'592'000'000.0));
        const auto below = drawn.died ? drawn.died->count() : IdleBound::longest.count();
        const auto most = static_cast<double>(below);
        if (chance(0.7) && below > 2'000)
            drawn.survived = milliseconds(
                log_uniform(chance(0.5) ? 2'000 : std::max(2'000.0, 0.9 * most), most));
        drawn.unsettled = drawn.died && chance(0.3);
        return drawn;
    }
    SocketSettings socket() {
        return {.keepalive = chance(0.5),
                .idle_ms = seconds_or_0(32'767),
                .interval_ms = seconds_or_0(32'767),
                .count = chance(0.4) ? 0 : static_cast<std::uint32_t>(log_uniform(1, 127)),
                .user_timeout_ms = chance(0.5) ? 0 : log_uniform(1, 1e8)};
    }
    KernelSettings kernel() {
        return {.idle_ms = log_uniform(1, 32'767) * 1'000,
                .interval_ms = log_uniform(1, 32'767) * 1'000,
                .count = static_cast<std::uint32_t>(log_uniform(1, 127))};
    }

private:
    double unit() { return std::uniform_real_distribution<>(0, 1)(random_); }
    std::mt19937 random_;
};

/// Invariants 1 to 3.
void choices_are_safe(void**) {
    Draw draw(1);
    for (int i = 0; i < kRounds; ++i) {
        const IdleBracket bracket = draw.bracket();
        const milliseconds start(draw.log_uniform(1, 7'200) * 1'000);
        const milliseconds max(draw.seconds_or_0(32'767));
        const Keepalive chosen = choose_keepalive(bracket, start, max, draw.number());
        assert_int_equal(chosen.idle_ms % 1'000, 0);
        assert_in_range(chosen.idle_ms, 1'000, most_idle_ms);
        assert_int_equal(chosen.interval_ms % 1'000, 0);
        assert_in_range(chosen.interval_ms, 1'000, 10'000);
        assert_in_range(chosen.count, least_count, 127);
        assert_true(chosen.interval_ms * chosen.count >= milliseconds(patience).count());
        const auto latest = chosen.idle_ms + chosen.idle_ms / late_part;
        if (bracket.died)
            assert_true(latest < bracket.died->count());
        assert_true(chosen.interval_ms <= chosen.idle_ms);
        assert_true(chosen.idle_ms <= std::max(start, max).count());
        const auto proven = bracket.unsettled ? 0 : bracket.survived.value_or(start).count();
        assert_true(chosen.idle_ms <= std::max(start.count(), proven));
        assert_true(chosen.idle_ms <= start.count() || latest <= proven);
    }
}

/// From the first probe that has no answer to the end; the kernel's timer may be late.
std::int64_t patience_of(const KeepaliveInForce& force) {
    if (force.user_timeout_ms.value > 0)
        return force.user_timeout_ms.value - force.idle_ms.value * (late_part + 1) / late_part;
    return force.interval_ms.value * force.count.value;
}

/// What an application chose, and what the kernel has for one that switched keepalive on.
bool is_bound(const KeepaliveInForce& before, const Setting& one) {
    return before.on.value != 0 || one.setter == Setter::application;
}

/// Invariants 4 and 5.
void nothing_is_loosened(void**) {
    Draw draw(2);
    for (int i = 0; i < kRounds; ++i) {
        const SocketSettings socket = draw.socket();
        const KernelSettings kernel = draw.kernel();
        const Keepalive wanted = choose_keepalive(draw.bracket(), milliseconds(60'000),
                                                  milliseconds(3'600'000), draw.number());
        const KeepaliveInForce before = tightened(socket, kernel, std::nullopt);
        KeepaliveInForce after = tightened(socket, kernel, wanted);
        assert_true(after.on.value >= before.on.value);
        assert_true(after.idle_ms.value <= before.idle_ms.value);
        assert_true(!is_bound(before, before.interval_ms) ||
                    after.interval_ms.value <= before.interval_ms.value);
        assert_true(before.count.setter != Setter::application ||
                    after.count.value <= before.count.value);
        assert_true(after.user_timeout_ms == before.user_timeout_ms);
        const bool is_ours = after.setter() == Setter::ballast;
        assert_true(!is_ours || after.lack == Lack::nothing);
        if (is_ours)
            assert_true(patience_of(after) >= milliseconds(patience).count());
        after.lack = Lack::nothing;
        assert_true((after == before) == !is_ours);
    }
}

} // namespace

TEST_GROUP(keepalive_choice_random) {
    const CMUnitTest tests[] = {cmocka_unit_test(choices_are_safe),
                                cmocka_unit_test(nothing_is_loosened)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_keepalive_choice_random
