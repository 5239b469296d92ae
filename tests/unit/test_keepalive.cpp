// SPDX-License-Identifier: Apache-2.0
// bpf/lib/keepalive.h: what the programs do with a socket's keepalive. Its arithmetic is that of
// daemon/guards/keepalive_choice, for any path, flow and application.
#include <array>
#include <cstdint>
#include <optional>
#include <random>

#include "bpf/lib/connect_time.h"
#include "bpf/lib/keepalive.h"
#include "daemon/guards/keepalive/keepalive_choice.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_keepalive {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

using Options = std::array<std::uint32_t, BALLAST_KEEPALIVE_OPTIONS>;
constexpr Options kernel{0, 7200, 75, 9, 0};

ballast_keepalive_rule auto_rule(std::chrono::seconds start) {
    ballast_keepalive_rule rule{};
    rule.kind = BALLAST_KEEPALIVE_AUTO;
    rule.idle_ms = static_cast<std::uint32_t>(milliseconds(start).count());
    return rule;
}

/// What options say where an application has set those that are not 0.
ballast_keepalive settings(const Options& set) {
    ballast_keepalive made{};
    for (std::size_t i = 0; i < set.size(); ++i) {
        made.value[i] = set.at(i) != 0 ? set.at(i) : kernel.at(i);
        made.chosen |= set.at(i) != 0 ? 1U << i : 0U;
    }
    return made;
}

Options forced(const ballast_keepalive& own, const ballast_keepalive_wish* wish) {
    Options force{};
    const ballast_keepalive_wish none{};
    std::uint32_t lack = 0;
    ballast_tighten(&own, wish != nullptr ? wish : &none, wish != nullptr, force.data(), &lack);
    return force;
}

guards::SocketSettings as_guard(const Options& set) {
    return {.keepalive = set[0] != 0,
            .idle_ms = set[1] * 1000LL,
            .interval_ms = set[2] * 1000LL,
            .count = set[3],
            .user_timeout_ms = set[4]};
}

class Random {
public:
    std::uint32_t below(std::uint32_t n) {
        return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(engine_);
    }
    /// Of any magnitude, and now and then nothing.
    std::uint32_t wide(std::uint32_t most) {
        return below(4) == 0 ? 0 : std::min(most, 1 + below(1U << below(22)));
    }
    Options application() {
        return {below(2), wide(32'767), wide(32'767), wide(127),
                below(3) == 0 ? wide(4'000'000) : 0};
    }

private:
    std::mt19937 engine_{20'261'120};
};

void chooses_as_the_guard_does(void**) {
    Random random;
    for (int i = 0; i < 50'000; ++i) {
        guards::IdleBracket bracket;
        if (const auto survived = random.wide(4'000'000))
            bracket.survived = milliseconds(2'000 + survived);
        if (const auto died = random.wide(4'000'000))
            bracket.died = bracket.survived.value_or(2s) + milliseconds(1 + died);
        bracket.unsettled = random.below(4) == 0;
        const auto start = std::chrono::seconds(1 + random.below(400));
        const auto number = static_cast<std::uint32_t>(i);
        const auto max = std::chrono::seconds(random.below(2) == 0 ? 0 : random.below(4000));
        const auto longest = guards::longest_idle(bracket, start, max);
        const auto rule = auto_rule(start);
        ballast_keepalive_wish wish{};
        ballast_choose_keepalive(&rule, static_cast<std::uint32_t>(longest.count()),
                                 static_cast<std::uint32_t>(bracket.died.value_or(0ms).count()),
                                 number, &wish);
        const auto wanted = guards::choose_keepalive(bracket, start, max, number);
        assert_int_equal(wish.idle_s * 1000LL, wanted.idle_ms);
        assert_int_equal(wish.interval_s * 1000LL, wanted.interval_ms);
        assert_int_equal(wish.count, wanted.count);
    }
}

void tightens_as_the_guard_does(void**) {
    Random random;
    for (int i = 0; i < 200'000; ++i) {
        const Options set = random.application();
        const ballast_keepalive own = settings(set);
        const ballast_keepalive_wish wish{1 + random.below(1U << random.below(15)),
                                          1 + random.below(100), 1 + random.below(30), 0, 0};
        const bool has_wish = random.below(8) != 0;
        std::optional<guards::Keepalive> wanted;
        if (has_wish)
            wanted = {wish.idle_s * 1000LL, wish.interval_s * 1000LL, wish.count};
        Options force{};
        std::uint32_t lack = 0;
        const auto ours = ballast_tighten(&own, &wish, has_wish, force.data(), &lack);
        const auto want = guards::tightened(as_guard(set), {}, wanted);
        const std::array wanted_values{&want.on, &want.idle_ms, &want.interval_ms, &want.count,
                                       &want.user_timeout_ms};
        constexpr std::array<std::int64_t, BALLAST_KEEPALIVE_OPTIONS> unit{1, 1000, 1000, 1, 1};
        for (std::size_t o = 0; o < force.size(); ++o) {
            assert_int_equal(force.at(o) * unit.at(o), wanted_values.at(o)->value);
            assert_int_equal((ours >> o) & 1U,
                             wanted_values.at(o)->setter == guards::Setter::ballast ? 1 : 0);
        }
        assert_int_equal(ballast_keepalive_setter(&own, ours), want.setter());
        constexpr std::array lacks{BALLAST_LACKS_NOTHING, BALLAST_LACKS_USER_TIMEOUT,
                                   BALLAST_LACKS_PATIENCE};
        assert_int_equal(lack, lacks.at(static_cast<std::size_t>(want.lack)));
    }
}

static_assert(BALLAST_LEAST_FITTED_S * 1000 == guards::least_fitted_ms);
static_assert(100 / BALLAST_IDLE_SPREAD == guards::spread_percent);
static_assert(BALLAST_MOST_IDLE_MS == guards::most_idle_ms);
static_assert(BALLAST_LEAST_PROBES == guards::least_count);
static_assert(BALLAST_PATIENCE_S == guards::patience.count());

void start_holds_where_nothing_is_known(void**) {
    const auto rule = auto_rule(60s);
    std::uint32_t least = 100;
    for (std::uint32_t flow = 0; flow < 1000; ++flow) {
        ballast_keepalive_wish wish{};
        ballast_choose_keepalive(&rule, 0, 0, flow, &wish);
        assert_in_range(wish.idle_s, 48, 60);
        least = std::min(least, wish.idle_s);
    }
    assert_int_equal(least, 48);
}

void fixed_values_are_the_policys(void**) {
    ballast_keepalive_rule rule{};
    rule.kind = BALLAST_KEEPALIVE_FIXED;
    rule.idle_ms = 300'000;
    rule.interval_s = 15;
    rule.count = 6;
    ballast_keepalive_wish wish{};
    ballast_choose_keepalive(&rule, 50'000, 60'000, 0, &wish);
    assert_int_equal(wish.idle_s, 300);
    assert_int_equal(wish.interval_s, 15);
    assert_int_equal(wish.count, 6);
}

/// The kernel looks at the idle time only an interval after a probe.
void the_interval_is_no_longer_than_the_idle_time(void**) {
    for (const std::uint32_t idle_s : {1U, 2U, 5U, 9U, 60U}) {
        ballast_keepalive_rule rule = auto_rule(std::chrono::seconds(idle_s));
        rule.interval_s = 10;
        rule.count = 3;
        for (const auto kind : {BALLAST_KEEPALIVE_AUTO, BALLAST_KEEPALIVE_FIXED}) {
            rule.kind = static_cast<std::uint8_t>(kind);
            ballast_keepalive_wish wish{};
            ballast_choose_keepalive(&rule, 0, 0, 0, &wish);
            assert_int_equal(wish.idle_s, idle_s);
            assert_true(wish.interval_s <= wish.idle_s);
            assert_true(wish.interval_s * wish.count >= BALLAST_PATIENCE_S);
        }
    }
}

constexpr ballast_keepalive_wish minute{60, 10, 9, 0, 0};

/// What the kernel alone has plays no part while keepalive is off: 1 s, 9 times, ended 20 of 20.
void patience_does_not_depend_on_the_kernels_count(void**) {
    const ballast_keepalive_wish close{1, 1, 30, 0, 0};
    const Options off = forced(settings({}), &close);
    assert_int_equal(off[BALLAST_KEEPALIVE_COUNT], 30);
    const Options on = forced(settings({1, 0, 0, 0, 0}), &close);
    assert_true(on[BALLAST_KEEPALIVE_INTERVAL] * on[BALLAST_KEEPALIVE_COUNT] >= 30);
    const Options own_count = forced(settings({1, 0, 0, 4, 0}), &minute);
    assert_int_equal(own_count[BALLAST_KEEPALIVE_INTERVAL], 10);
    assert_int_equal(own_count[BALLAST_KEEPALIVE_COUNT], 4);
}

void little_patience_of_the_application_is_left_to_it(void**) {
    std::uint32_t lack = 0;
    Options force{};
    for (const std::uint32_t timeout_ms : {1U, 10'000U, 20'000U, 30'000U, 40'000U}) {
        const auto own = settings({0, 0, 0, 0, timeout_ms});
        assert_int_equal(ballast_tighten(&own, &minute, true, force.data(), &lack), 0);
        assert_int_equal(lack, BALLAST_LACKS_USER_TIMEOUT);
        assert_int_equal(force[BALLAST_KEEPALIVE_ON], 0);
    }
    const auto probing = settings({1, 600, 5, 3, 0});
    assert_int_equal(ballast_tighten(&probing, &minute, true, force.data(), &lack), 0);
    assert_int_equal(lack, BALLAST_LACKS_PATIENCE);
    const auto roomy = settings({0, 0, 0, 0, 75'000});
    assert_int_not_equal(ballast_tighten(&roomy, &minute, true, force.data(), &lack), 0);
    assert_int_equal(force[BALLAST_KEEPALIVE_IDLE], 40); // and 30 s are left, an eighth late
    assert_int_equal(force[BALLAST_KEEPALIVE_USER_TIMEOUT], 75'000);
}

ballast_keepalive_wish wish_of(std::uint32_t number, std::uint32_t latest_s = 0) {
    return {60, 10, 9, number, latest_s};
}

void first_probes_of_idle_flows_are_spread(void**) {
    std::array<int, 200> at{};
    for (std::uint32_t cookie = 5'000; cookie < 7'000; ++cookie) {
        const auto wish = wish_of(cookie);
        const ballast_due due{.elapsed_s = 100, .in_force_s = 0, .own_s = 0, .is_stale = 0};
        ++at.at(ballast_staggered_idle(&wish, 60, &due));
    }
    for (std::size_t second = 0; second < at.size(); ++second) {
        const bool is_within = second > 100 && second <= 130;
        assert_true(is_within ? at.at(second) > 30 && at.at(second) < 110 : at.at(second) == 0);
    }
}

/// Or it would never come.
void what_was_put_off_stays(void**) {
    const auto wish = wish_of(77);
    ballast_due due{.elapsed_s = 100, .in_force_s = 0, .own_s = 0, .is_stale = 0};
    const auto first = ballast_staggered_idle(&wish, 60, &due);
    due.in_force_s = first;
    for (due.elapsed_s = 101; due.elapsed_s < 200; ++due.elapsed_s)
        assert_int_equal(ballast_staggered_idle(&wish, 60, &due), first);
    due.elapsed_s = 3; // it was answered
    assert_int_equal(ballast_staggered_idle(&wish, 60, &due), 60);
}

void nothing_is_put_off_beyond_what_is_known(void**) {
    for (std::uint32_t number = 0; number < 500; ++number) {
        const auto wish = wish_of(number, 70);
        ballast_due due{.elapsed_s = 64, .in_force_s = 0, .own_s = 0, .is_stale = 0};
        assert_in_range(ballast_staggered_idle(&wish, 60, &due), 65, 70);
        due.elapsed_s = 90;
        assert_int_equal(ballast_staggered_idle(&wish, 60, &due), 91);
        const auto free = wish_of(number);
        due.own_s = 95;
        assert_in_range(ballast_staggered_idle(&free, 60, &due), 91, 95);
    }
}

void what_was_silent_while_the_host_slept_is_probed(void**) {
    for (std::uint32_t number = 0; number < 500; ++number) {
        const auto wish = wish_of(number);
        const ballast_due due{.elapsed_s = 20, .in_force_s = 60, .own_s = 0, .is_stale = 1};
        assert_in_range(ballast_staggered_idle(&wish, 60, &due), 21, 30);
    }
}

/// retransmits_timed_out() of the kernel: TCP_SYNCNT 1 fails after 3 s, the default after 127.
void the_kernel_gives_up_a_connect_when_it_says(void**) {
    assert_int_equal(ballast_syn_time_ms(0, 120'000), 1'000);
    assert_int_equal(ballast_syn_time_ms(1, 120'000), 3'000);
    assert_int_equal(ballast_syn_time_ms(6, 120'000), 127'000);
    assert_int_equal(ballast_syn_time_ms(7, 120'000), 247'000);
    assert_int_equal(ballast_syn_time_ms(3, 1'000), 4'000);
}

/// A socket that Ballast writes to, as bpf/keepalive.h does.
struct Socket {
    ballast_keepalive now;
    ballast_kept_keepalive kept{};

    explicit Socket(const Options& set) : now(settings(set)) {}
    ballast_keepalive own() {
        ballast_keepalive result{};
        ballast_own_keepalive(&kept, &now, kernel.data(), &result);
        return result;
    }
    void apply(const ballast_keepalive_wish* wish) {
        const ballast_keepalive before = own();
        const Options force = forced(before, wish);
        for (std::uint32_t i = 0; i < BALLAST_KEEPALIVE_OPTIONS; ++i) {
            if (force.at(i) == now.value[i])
                continue;
            kept.set[i] = now.value[i] = force.at(i);
            kept.written |= 1U << i;
            kept.own.value[i] = before.value[i];
            kept.own.chosen = (kept.own.chosen & ~(1U << i)) | (before.chosen & (1U << i));
            const bool is_off = (i == 0 || i == 4) && now.value[i] == 0;
            now.chosen = is_off ? now.chosen & ~(1U << i) : now.chosen | (1U << i);
        }
    }
    void application_sets(std::uint32_t option, std::uint32_t value) {
        now.value[option] = value;
        now.chosen |= 1U << option;
    }
    Options values() const {
        return {now.value[0], now.value[1], now.value[2], now.value[3], now.value[4]};
    }
};

void gives_back_what_the_application_had(void**) {
    Random random;
    for (int i = 0; i < 20'000; ++i) {
        const Options set = random.application();
        Socket socket(set);
        const Options before = socket.values();
        const ballast_keepalive_wish other{1 + random.below(200), 1 + random.below(20), 9, 0, 0};
        socket.apply(&minute);
        socket.apply(&other);
        if (random.below(2) == 0)
            socket.apply(&minute);
        socket.apply(nullptr);
        assert_true(socket.values() == before);
        socket.apply(&other); // and once more
        socket.apply(nullptr);
        assert_true(socket.values() == before);
    }
}

void the_kernels_stays_the_kernels(void**) {
    Socket socket({});
    socket.apply(&minute);
    socket.apply(nullptr);
    assert_int_equal(socket.now.value[BALLAST_KEEPALIVE_IDLE], 7200);
    assert_int_equal(socket.own().chosen, 0);
}

/// Which had set a user timeout.
void what_an_older_ballast_set_is_given_back(void**) {
    Socket socket({});
    socket.apply(&minute);
    socket.now.value[BALLAST_KEEPALIVE_USER_TIMEOUT] = 150'000;
    socket.now.chosen |= 1U << BALLAST_KEEPALIVE_USER_TIMEOUT;
    socket.kept.set[BALLAST_KEEPALIVE_USER_TIMEOUT] = 150'000;
    socket.kept.written |= 1U << BALLAST_KEEPALIVE_USER_TIMEOUT;
    socket.apply(&minute);
    assert_int_equal(socket.now.value[BALLAST_KEEPALIVE_USER_TIMEOUT], 0);
    assert_int_equal(socket.now.value[BALLAST_KEEPALIVE_IDLE], 60);
}

void later_settings_of_the_application_stand_where_tighter(void**) {
    Socket socket({});
    socket.apply(&minute);
    socket.application_sets(BALLAST_KEEPALIVE_IDLE, 20);
    socket.apply(&minute);
    assert_int_equal(socket.now.value[BALLAST_KEEPALIVE_IDLE], 20);
    socket.application_sets(BALLAST_KEEPALIVE_IDLE, 600);
    socket.apply(&minute);
    assert_int_equal(socket.now.value[BALLAST_KEEPALIVE_IDLE], 60);
    socket.apply(nullptr);
    assert_int_equal(socket.now.value[BALLAST_KEEPALIVE_IDLE], 600);
    assert_int_equal(socket.now.value[BALLAST_KEEPALIVE_ON], 0);
}

} // namespace

TEST_GROUP(keepalive) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(chooses_as_the_guard_does),
        cmocka_unit_test(tightens_as_the_guard_does),
        cmocka_unit_test(start_holds_where_nothing_is_known),
        cmocka_unit_test(fixed_values_are_the_policys),
        cmocka_unit_test(the_interval_is_no_longer_than_the_idle_time),
        cmocka_unit_test(patience_does_not_depend_on_the_kernels_count),
        cmocka_unit_test(little_patience_of_the_application_is_left_to_it),
        cmocka_unit_test(first_probes_of_idle_flows_are_spread),
        cmocka_unit_test(what_was_put_off_stays),
        cmocka_unit_test(nothing_is_put_off_beyond_what_is_known),
        cmocka_unit_test(what_was_silent_while_the_host_slept_is_probed),
        cmocka_unit_test(the_kernel_gives_up_a_connect_when_it_says),
        cmocka_unit_test(what_an_older_ballast_set_is_given_back),
        cmocka_unit_test(gives_back_what_the_application_had),
        cmocka_unit_test(the_kernels_stays_the_kernels),
        cmocka_unit_test(later_settings_of_the_application_stand_where_tighter),
    };
    return cmocka_run_group_tests_name("keepalive", tests, nullptr, nullptr);
}

} // namespace test_keepalive
