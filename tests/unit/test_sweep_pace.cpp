// SPDX-License-Identifier: Apache-2.0
// The sweep's interval keeps it within its share of one core at any cost.
#include <array>

#include "daemon/govern/sweep_pace.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_sweep_pace {

namespace {

using namespace std::chrono_literals;

struct Case {
    std::chrono::nanoseconds wanted, cpu, interval;
};

void interval_follows_the_cost(void**) {
    static constexpr std::array<Case, 6> cases{{
        {5s, 5ms, 5s},
        {5s, 50ms, 5s},
        {5s, 51ms, 5100ms},
        {1s, 2s, 200s},
        {1s, 100s, 1h},
        {1h, 0ms, 1h},
    }};
    for (const auto& [wanted, cpu, interval] : cases)
        assert_int_equal(ballast::govern::sweep_interval(wanted, cpu).count(), interval.count());
}

/// A sweep that keeps to its budget, and goes over it by a fifth, is no reason to sweep less often.
void budget_keeps_the_interval(void**) {
    for (const std::chrono::nanoseconds wanted : {1000ms, 5000ms, 3'600'000ms}) {
        const auto budget = ballast::govern::sweep_budget(wanted);
        assert_int_equal(budget.count(), (wanted / 125).count());
        assert_int_equal(ballast::govern::sweep_interval(wanted, budget * 5 / 4).count(),
                         wanted.count());
        assert_true(ballast::govern::awaited_sweep_budget(wanted) < budget);
    }
}

} // namespace

TEST_GROUP(sweep_pace) {
    const CMUnitTest tests[] = {cmocka_unit_test(interval_follows_the_cost),
                                cmocka_unit_test(budget_keeps_the_interval)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_sweep_pace
