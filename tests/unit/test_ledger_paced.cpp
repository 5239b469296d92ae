// SPDX-License-Identifier: Apache-2.0
// Drift where a sweep visits some namespaces only: the pass over files clears and never accuses
// (L2).
#include "tests/harness/group.h"
#include "tests/unit/ledger_world.h"

namespace test_ledger_paced {

namespace {

using namespace ledger_world;

/// A sweep that visits no namespace.
LedgerFindings pass(World& world, const std::vector<std::uint64_t>& met) {
    return world.sweep_over(met, {nowhere, only_here});
}

/// As an orphan is, which no process has open.
void what_files_do_not_show_stays(void**) {
    World world;
    world.admit(11, 0);
    for (int hours = 0; hours < 24; ++hours) {
        world.now += minutes(60);
        const auto findings = pass(world, {});
        assert_true(findings.drift.empty());
        assert_int_equal(findings.repairs, 0);
    }
    assert_true(world.has(11));
    assert_int_equal(world.destinations[0].in_use, 1);
}

/// Those in between say nothing.
void two_visits_are_enough_however_far_apart(void**) {
    World world;
    world.admit(11, 0);
    assert_int_equal(world.visit({}).drift[0], 1);
    for (int i = 0; i < 5; ++i)
        assert_int_equal(pass(world, {}).repairs, 0);
    assert_true(world.has(11));
    assert_int_equal(world.visit({}).repairs, 1);
    assert_false(world.has(11));
    assert_int_equal(world.destinations[0].in_use, 0);
}

void a_file_clears_what_a_visit_missed(void**) {
    World world;
    world.admit(11, 0);
    world.visit({});
    pass(world, {11});
    assert_int_equal(world.visit({}).repairs, 0);
    assert_true(world.has(11));
}

/// Neither does a sweep without a visit make a newcomer older than it is (L1).
void a_newcomer_stays_one(void**) {
    World world;
    world.now += seconds(5);
    world.ledger.begin_sweep(used);
    world.admit(11, 0);
    world.ledger.end_sweep(++world.sweep, {only_here, nowhere}, used, world.now);
    pass(world, {});
    assert_int_equal(world.visit({}).repairs, 0);
    assert_true(world.has(11));
    assert_int_equal(world.visit({}).repairs, 1);
}

/// Its place may have been given to another by then.
void suspicion_is_of_the_socket_not_of_its_place(void**) {
    World world;
    world.admit(11, 0);
    world.visit({});
    ballast_reservation& entry = world.buckets[ballast_bucket_choice(11, 0)].entries[0];
    entry.cookie = 11 + BALLAST_BUCKETS;
    pass(world, {});
    assert_int_equal(world.visit({}).repairs, 0);
    assert_int_equal(world.destinations[0].in_use, 1);
}

void counts_are_judged_by_every_sweep(void**) {
    World world;
    world.admit(11, 2);
    world.destinations[2].in_use = 4;
    assert_int_equal(pass(world, {11}).drift[2], 3);
    assert_int_equal(pass(world, {11}).repairs, 1);
    assert_int_equal(world.destinations[2].in_use, 1);
}

void namespaces_of_what_was_not_met_are_told(void**) {
    World world;
    const auto unmet = [&] {
        return ballast::kernel::namespaces_unmet(world.buckets, world.seen, world.sweep);
    };
    world.admit(11, 0);
    world.admit(12, 0, here + 1);
    world.admit(13, 0, here + 2);
    world.buckets[ballast_bucket_choice(13, 0)].entries[0].held |= BALLAST_PENDING;
    pass(world, {11});
    assert_true((unmet() == std::unordered_set<std::uint32_t>{here + 1}));
    pass(world, {11, 12});
    assert_true(unmet().empty());
    pass(world, {});
    assert_true((unmet() == std::unordered_set<std::uint32_t>{here, here + 1}));
}

} // namespace

TEST_GROUP(ledger_paced) {
    const CMUnitTest tests[] = {cmocka_unit_test(what_files_do_not_show_stays),
                                cmocka_unit_test(two_visits_are_enough_however_far_apart),
                                cmocka_unit_test(a_file_clears_what_a_visit_missed),
                                cmocka_unit_test(a_newcomer_stays_one),
                                cmocka_unit_test(suspicion_is_of_the_socket_not_of_its_place),
                                cmocka_unit_test(counts_are_judged_by_every_sweep),
                                cmocka_unit_test(namespaces_of_what_was_not_met_are_told)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_ledger_paced
