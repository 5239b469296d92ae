// SPDX-License-Identifier: Apache-2.0
// A dry run of the governor (V4): the same decisions, and nothing granted.
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/governed_kernel.h"

namespace test_governor_dry_run {

namespace {

using ballast::GovernorOptions;
using ballast::govern::Governor;
using ballast::test::GovernedKernel;
using ballast::test::options;
using ballast::test::start;
using std::chrono::milliseconds;
using Failing = Governor::Failing;
using Time = Governor::Monotonic;

GovernorOptions dry() {
    auto made = options();
    made.dry_run = true;
    return made;
}

void a_dry_run_decides_the_same_and_grants_nothing(void**) {
    Governor governor(options());
    Governor dry_governor(dry());
    GovernedKernel kernel;
    GovernedKernel dry_kernel;
    for (std::uint32_t d = 0; d < 12; ++d) {
        const Time now = start + d * milliseconds(100);
        const auto decision = kernel.decide(governor, 20, now);
        const auto dry_decision = dry_kernel.decide(dry_governor, 20, now);
        assert_int_equal(dry_decision.trip_budget, decision.trip_budget);
        assert_int_equal(dry_decision.fault_began, decision.fault_began);
        assert_false(decision.dry_run);
        assert_true(dry_decision.dry_run);
        assert_int_equal(dry_kernel.word, 0);
        governor.on_failing(d, Failing::withheld, now);
        dry_governor.on_failing(d, Failing::withheld, now);
    }
    assert_true(governor.suspects_observer() && dry_governor.suspects_observer());
}

void a_dry_run_takes_back_what_was_granted(void**) {
    Governor governor(options());
    GovernedKernel kernel;
    kernel.decide(governor, 1000, start);
    for (int i = 0; i < 10; ++i)
        kernel.open();
    governor.configure(dry());
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 20);
    assert_false(kernel.open());
    governor.configure(options());
    assert_int_equal(kernel.decide(governor, 1000, start).trip_budget, 20);
    assert_int_equal(kernel.open_all(), 20);
}

/// It was not done, so that it is not to be undone, and may have to be done yet.
void what_a_dry_run_held_is_forgotten_with_it(void**) {
    Governor governor(dry());
    GovernedKernel kernel;
    for (std::uint32_t d = 0; d < 11; ++d)
        governor.on_failing(d, Failing::opened, start);
    assert_int_equal(kernel.decide(governor, 20, start).hold.size(), 11);
    governor.configure(dry());
    assert_int_equal(governor.holds(), 11);
    governor.configure(options());
    assert_int_equal(governor.holds(), 0);
    assert_int_equal(kernel.decide(governor, 20, start).hold.size(), 11);
}

} // namespace

TEST_GROUP(governor_dry_run) {
    const CMUnitTest tests[] = {cmocka_unit_test(a_dry_run_decides_the_same_and_grants_nothing),
                                cmocka_unit_test(a_dry_run_takes_back_what_was_granted),
                                cmocka_unit_test(what_a_dry_run_held_is_forgotten_with_it)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_governor_dry_run
