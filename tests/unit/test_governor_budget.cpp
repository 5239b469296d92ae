// SPDX-License-Identifier: Apache-2.0
// The budget of openings (V1), while programs take from it at any moment: with time moved by hand,
// and with threads that take as the programs do (bpf/lib/breaker.h).
#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/governed_kernel.h"

namespace test_governor_budget {

namespace {

using ballast::govern::Governor;
using ballast::test::GovernedKernel;
using ballast::test::options;
using ballast::test::start;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Failing = Governor::Failing;
using Time = Governor::Monotonic;

void what_is_taken_before_the_store_is_not_granted_again(void**) {
    Governor governor(options());
    GovernedKernel kernel;
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 30);
    int turns = 0;
    kernel.between = [&] {
        if (turns++ < 3)
            kernel.open();
    };
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 27);
    kernel.between = [] {};
    assert_int_equal(kernel.open_all(), 27);
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 0);
    assert_int_equal(kernel.opened, 30);
    assert_int_equal(kernel.decide(governor, 1000, start + seconds(2)).trip_budget, 1);
}

void what_is_given_back_may_be_taken_again(void**) {
    Governor governor(options());
    GovernedKernel kernel;
    kernel.decide(governor, 1000, start);
    kernel.open_all();
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 0);
    kernel.give_back();
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 1);
    kernel.open_all();
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 0);
    assert_int_equal(kernel.opened, 30);
}

/// Nor do openings that no event told of yet make room for more than leave the observer
/// unsuspected; told of, they count once.
void openings_not_told_of_leave_no_room(void**) {
    Governor governor(options());
    GovernedKernel kernel;
    assert_int_equal(kernel.decide(governor, 20, start).trip_budget, 11);
    for (int i = 0; i < 4; ++i)
        kernel.open();
    assert_int_equal(kernel.decide(governor, 20, start).trip_budget, 7);
    for (std::uint32_t d = 0; d < 4; ++d)
        governor.on_failing(d, Failing::opened, start);
    assert_int_equal(kernel.decide(governor, 20, start).trip_budget, 7);
    kernel.open();
    governor.on_failing(4, Failing::opened, start); // before it is seen to be taken
    assert_int_equal(kernel.decide(governor, 20, start).trip_budget, 6);
    kernel.open(); // and its event is lost
    assert_int_equal(kernel.decide(governor, 20, start).trip_budget, 5);
    assert_int_equal(kernel.decide(governor, 20, start + seconds(11)).trip_budget, 11);
}

/// They took nothing from the budget.
void reopenings_are_not_charged(void**) {
    Governor governor(options());
    GovernedKernel kernel;
    kernel.decide(governor, 1000, start);
    for (std::uint32_t d = 0; d < 20; ++d)
        governor.on_failing(d, Failing::reopened, start);
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 30);
}

void what_an_earlier_daemon_left_is_taken_over(void**) {
    Governor governor(options());
    GovernedKernel kernel{.word = 12};
    for (std::uint32_t d = 0; d < 5; ++d)
        governor.on_failing(d, Failing::opened, start); // while nobody was there
    int turns = 0;
    kernel.between = [&] {
        if (turns++ == 1) // after the first look at the word
            kernel.open();
    };
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 24);
    assert_int_equal(kernel.opened, 1);
}

void other_actions_leave_what_is_granted(void**) {
    auto few = options();
    few.actions_per_minute = 10;
    Governor governor(few);
    GovernedKernel kernel;
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 10);
    assert_false(governor.may_act(start));
    for (int i = 0; i < 4; ++i)
        kernel.open();
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 6);
    assert_false(governor.may_act(start));
    assert_true(governor.may_act(start + seconds(6)));
    assert_false(governor.may_act(start + seconds(6)));
}

/// A host on which all of this happens at random.
struct Run {
    explicit Run(unsigned seed) : random(seed), active(5 + random() % 200) {
        kernel.between = [this] {
            while (random() % 3 == 0)
                act();
        };
    }

    std::mt19937 random;
    std::size_t active;
    Governor governor{options()};
    GovernedKernel kernel;
    Time now = start;
    std::vector<Time> opened;
    std::uint32_t untold = 0;
    std::uint32_t next = 0;

    void act() {
        if (kernel.open()) {
            opened.push_back(now);
            ++untold;
        } else if (random() % 4 == 0 && untold) {
            kernel.give_back();
            opened.pop_back();
            --untold;
        }
    }
    void tell() {
        for (; untold && random() % 3; --untold)
            governor.on_failing(next++, Failing::opened, now);
        if (untold && random() % 8 == 0)
            --untold; // lost
    }
    [[nodiscard]] std::size_t within(std::chrono::nanoseconds span) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(opened, [&](Time at) { return now - at < span; }));
    }
    void step() {
        now += milliseconds(random() % 3000);
        while (random() % 4)
            act();
        tell();
        kernel.decide(governor, active, now);
        check();
    }
    /// No more in a window than make the observer suspect, nor ever more than the cap gives.
    void check() const {
        const auto suspicious = std::max<std::size_t>(5, active / 2 + 1);
        assert_true(within(seconds(10)) <= suspicious);
        const std::chrono::duration<double, std::ratio<60>> elapsed = now - start;
        assert_true(static_cast<double>(opened.size()) <= 30 + 30 * elapsed.count() + 1e-6);
    }
};

void whatever_comes_when_the_bounds_hold(void**) {
    std::size_t opened = 0;
    for (unsigned seed = 0; seed < 200; ++seed) {
        Run run(seed);
        for (int step = 0; step < 200; ++step)
            run.step();
        opened += run.opened.size();
    }
    assert_true(opened > 1000);
}

/// Programs that take all they can while the governor decides again and again, all in the same
/// instant: the cap, exactly.
void take_the_cap() {
    static constexpr std::uint32_t cap = 2000;
    std::uint32_t word = 0;
    std::atomic<std::uint32_t> taken{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> programs;
    for (int i = 0; i < 3; ++i)
        programs.emplace_back([&] {
            while (!over)
                if (ballast_breaker_spend(&word))
                    ++taken;
                else
                    std::this_thread::yield(); // to the governor, where there is one CPU
        });
    Governor governor({.actions_per_minute = cap, .breaker_opens_per_minute = cap});
    const auto swap = [&word](std::uint32_t& expected, std::uint32_t wanted) {
        return __atomic_compare_exchange_n(&word, &expected, wanted, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    };
    std::uint32_t told = 0;
    for (int quiet = 0; quiet < 1000; ++quiet) {
        for (; told < taken; ++told, quiet = 0)
            governor.on_failing(0, Failing::opened, start);
        if (governor.decide(2 * cap, swap, start).trip_budget)
            quiet = 0;
    }
    over = true;
    for (auto& program : programs)
        program.join();
    assert_int_equal(taken, cap);
}

void threads_take_the_cap_and_no_more(void**) {
    for (int round = 0; round < 50; ++round)
        take_the_cap();
}

} // namespace

TEST_GROUP(governor_budget) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_before_the_store_is_not_granted_again),
        cmocka_unit_test(what_is_given_back_may_be_taken_again),
        cmocka_unit_test(openings_not_told_of_leave_no_room),
        cmocka_unit_test(reopenings_are_not_charged),
        cmocka_unit_test(what_an_earlier_daemon_left_is_taken_over),
        cmocka_unit_test(other_actions_leave_what_is_granted),
        cmocka_unit_test(whatever_comes_when_the_bounds_hold),
        cmocka_unit_test(threads_take_the_cap_and_no_more)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_governor_budget
