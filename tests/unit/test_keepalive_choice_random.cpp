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
                .count = static_cast<std::uint32_t>(log_uniform(1, 127)),
                .give_up_ms = log_uniform(10'000, 2e6)};
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
        const Keepalive chosen = choose_keepalive(bracket, start, draw.number());
        assert_int_equal(chosen.idle_ms % 1'000, 0);
        assert_in_range(chosen.idle_ms, 1'000, most_idle_ms);
        assert_int_equal(chosen.interval_ms % 1'000, 0);
        assert_in_range(chosen.interval_ms, 1'000, 10'000);
        assert_in_range(chosen.count, least_count, 127);
        assert_true(chosen.interval_ms * chosen.count >= milliseconds(patience).count());
        const auto latest = chosen.idle_ms + chosen.idle_ms / late_part;
        if (bracket.died)
            assert_true(latest < bracket.died->count());
        const auto proven = bracket.unsettled ? 0 : bracket.survived.value_or(start).count();
        assert_true(chosen.idle_ms <= std::max(start.count(), proven));
        assert_true(chosen.idle_ms <= start.count() || latest <= proven);
    }
}

/// When a dead idle flow is ended: by count, or by the user timeout if there is one.
std::int64_t end_ms(bool on, std::int64_t idle, std::int64_t interval, std::int64_t count,
                    std::int64_t user_timeout) {
    if (!on)
        return INT64_MAX;
    return user_timeout > 0 ? std::max(user_timeout, idle + interval) : idle + interval * count;
}

std::int64_t end_of(const KeepaliveInForce& force) {
    return end_ms(force.on.value != 0, force.idle_ms.value, force.interval_ms.value,
                  force.count.value, force.user_timeout_ms.value);
}

/// How long data may go unacknowledged.
std::int64_t data_end(const KeepaliveInForce& force, const KernelSettings& kernel) {
    return force.user_timeout_ms.value > 0 ? force.user_timeout_ms.value : kernel.give_up_ms;
}

/// Probes of which one has to be answered.
std::int64_t probes(const KeepaliveInForce& force) {
    if (force.user_timeout_ms.value == 0)
        return force.count.value;
    const auto left = force.user_timeout_ms.value - force.idle_ms.value;
    return left <= 0 ? 1 : (left + force.interval_ms.value - 1) / force.interval_ms.value;
}

/// Invariants 4 and 5.
void nothing_is_loosened(void**) {
    Draw draw(2);
    for (int i = 0; i < kRounds; ++i) {
        const SocketSettings socket = draw.socket();
        const KernelSettings kernel = draw.kernel();
        const Keepalive wanted = choose_keepalive(draw.bracket(), milliseconds(60'000), 0);
        const KeepaliveInForce before = tightened(socket, kernel, std::nullopt);
        const KeepaliveInForce after = tightened(socket, kernel, wanted);
        assert_true(after.on.value >= before.on.value);
        assert_true(after.idle_ms.value <= before.idle_ms.value);
        assert_true(after.interval_ms.value <= before.interval_ms.value);
        assert_true(after.count.value <= before.count.value);
        assert_true(before.user_timeout_ms.value == 0 ||
                    (after.user_timeout_ms.value > 0 &&
                     after.user_timeout_ms.value <= before.user_timeout_ms.value));
        assert_true(end_of(after) <= end_of(before));
        assert_true(data_end(after, kernel) <= data_end(before, kernel));
        assert_true((after == before) == (after.setter() != Setter::ballast));
        if (after.on.setter == Setter::ballast)
            assert_true(probes(after) >= std::min<std::int64_t>(5, before.count.value));
    }
}

} // namespace

TEST_GROUP(keepalive_choice_random) {
    const CMUnitTest tests[] = {cmocka_unit_test(choices_are_safe),
                                cmocka_unit_test(nothing_is_loosened)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_keepalive_choice_random
