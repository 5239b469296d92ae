// SPDX-License-Identifier: Apache-2.0
// Drift: found, told from what merely happens, and repaired only when seen twice (L1 to L3).
#include <unordered_set>

#include "bpf/lib/reservation.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/ledger_world.h"

namespace test_ledger {

namespace {

using namespace ledger_world;

void sockets_that_are_met_are_no_drift(void**) {
    World world;
    world.admit(11, 0);
    world.admit(12, 1);
    for (int i = 0; i < 5; ++i) {
        const auto findings = world.visit({11, 12});
        assert_true(findings.drift.empty());
        assert_int_equal(findings.repairs, 0);
    }
    assert_int_equal(world.destinations[0].in_use, 1);
}

/// The kernel counts down from there for sockets that are made in an interrupt.
void highest_cookies_are_sockets_too(void**) {
    World world;
    for (std::uint64_t cookie = 0; --cookie > std::uint64_t{0} - 4;)
        world.admit(cookie, 0);
    const std::uint64_t last = ~std::uint64_t{0};
    for (int i = 0; i < 3; ++i) {
        const auto findings = world.visit({last, last - 1, last - 2});
        assert_true(findings.drift.empty());
        assert_int_equal(findings.repairs, 0);
    }
    assert_int_equal(world.destinations[0].in_use, 3);
}

void lost_release_is_reported_at_once_and_repaired_the_second_time(void**) {
    World world;
    world.admit(11, 0);
    world.admit(12, 0);
    world.visit({11, 12});
    auto findings = world.visit({11});
    assert_int_equal(findings.drift[0], 1);
    assert_int_equal(findings.repairs, 0);
    assert_true(world.has(12));
    findings = world.visit({11});
    assert_int_equal(findings.repairs, 1);
    assert_false(world.has(12));
    assert_int_equal(world.destinations[0].in_use, 1);
    findings = world.visit({11});
    assert_true(findings.drift.empty());
}

/// Admitted behind the iterator's back: unseen, but the destination was not quiet (L3).
void connection_made_during_the_sweep_is_no_drift(void**) {
    World world;
    world.now += seconds(5);
    world.ledger.begin_sweep(used);
    world.admit(11, 0);
    const auto findings =
        world.ledger.end_sweep(++world.sweep, {only_here, nowhere}, used, world.now);
    assert_true(findings.drift.empty());
    assert_true(world.visit({11}).drift.empty());
}

/// Two sweeps within a moment are one observation (L1).
void two_quick_sweeps_repair_nothing(void**) {
    World world;
    world.admit(11, 0);
    world.visit({});
    const auto findings = world.visit({}, seconds(0));
    assert_int_equal(findings.repairs, 0);
    assert_true(world.has(11));
}

/// Nor does the sweep that it came during count against it (L1).
void newcomer_missed_once_stays(void**) {
    World world;
    world.now += seconds(5);
    world.ledger.begin_sweep(used);
    world.admit(11, 0);
    world.ledger.end_sweep(++world.sweep, {only_here, nowhere}, used, world.now);
    assert_int_equal(world.visit({}).repairs, 0);
    assert_true(world.has(11));
    assert_int_equal(world.visit({}).repairs, 1);
    assert_false(world.has(11));
}

void socket_missed_once_stays(void**) {
    World world;
    world.admit(11, 0);
    world.visit({});
    world.visit({11});
    assert_int_equal(world.visit({}).repairs, 0);
    assert_true(world.has(11));
}

void namespace_that_was_not_visited_is_not_judged(void**) {
    World world;
    world.admit(11, 0, here + 1);
    for (int i = 0; i < 10; ++i)
        assert_true(world.visit({}).drift.empty());
    assert_true(world.has(11));
    world.now += minutes(15);
    world.visit({});
    world.visit({});
    assert_false(world.has(11));
    assert_int_equal(world.destinations[0].in_use, 0);
}

/// It is there, so that nothing is known of it, however long that lasts.
void namespace_that_could_not_be_visited_is_not_judged_ever(void**) {
    World world;
    world.admit(11, 0, here + 1);
    const std::unordered_set<std::uint32_t> missed{here + 1};
    for (int hour = 0; hour < 24; ++hour) {
        world.now += minutes(60);
        world.ledger.begin_sweep(used);
        const auto found =
            world.ledger.end_sweep(++world.sweep, {only_here, missed}, used, world.now);
        assert_true(found.drift.empty());
        assert_int_equal(found.repairs, 0);
    }
    assert_true(world.has(11));
    assert_int_equal(world.destinations[0].in_use, 1);
}

struct Mismatch {
    const char* what;
    std::uint32_t in_use;
    std::int64_t drift;
};

void count_without_entries_is_mended_the_second_time(void**) {
    for (const auto& [what, in_use, drift] :
         {Mismatch{"too high", 4, 3}, Mismatch{"too low", 0, -1}}) {
        print_message("# %s\n", what);
        World world;
        world.admit(11, 2);
        world.destinations[2].in_use = in_use;
        auto findings = world.visit({11});
        assert_int_equal(findings.drift[2], drift);
        assert_int_equal(world.destinations[2].in_use, in_use);
        findings = world.visit({11});
        assert_int_equal(findings.repairs, 1);
        assert_int_equal(world.destinations[2].in_use, 1);
        assert_true(world.visit({11}).drift.empty());
    }
}

/// The programs may be about to write the entry.
void count_is_not_mended_by_two_quick_sweeps(void**) {
    World world;
    world.admit(11, 2);
    world.destinations[2].in_use = 2;
    assert_int_equal(world.visit({11}).drift[2], 1);
    for (int i = 0; i < 3; ++i)
        assert_int_equal(world.visit({11}, seconds(0)).repairs, 0);
    assert_int_equal(world.destinations[2].in_use, 2);
    assert_int_equal(world.visit({11}, seconds(1)).repairs, 1);
    assert_int_equal(world.destinations[2].in_use, 1);
}

/// A program that got no time between its writes for long has them done when it ended.
void program_held_up_between_its_writes_is_no_drift(void**) {
    World world;
    world.destinations[2].in_use = 1;
    world.programs_end = [&] {
        --world.destinations[2].in_use;
        world.admit(11, 2);
        return true;
    };
    assert_int_equal(world.visit({}).drift[2], 1);
    assert_int_equal(world.visit({}).repairs, 0);
    assert_int_equal(world.destinations[2].in_use, 1);
    assert_true(world.visit({11}).drift.empty());
}

void count_is_not_mended_while_programs_may_run(void**) {
    World world;
    world.destinations[2].in_use = 1;
    world.programs_end = [] { return false; };
    for (int i = 0; i < 3; ++i)
        assert_int_equal(world.visit({}).repairs, 0);
    assert_int_equal(world.destinations[2].in_use, 1);
}

void connect_that_failed_at_once_is_reclaimed(void**) {
    World world;
    world.admit(11, 0);
    ballast_reservation& entry = world.buckets[ballast_bucket_choice(11, 0)].entries[0];
    entry.held |= BALLAST_PENDING;
    assert_int_equal(world.pending.reclaim(used, world.now), 0);
    world.now += seconds(1);
    assert_int_equal(world.pending.reclaim(used, world.now), 1);
    assert_int_equal(world.destinations[0].in_use, 0);
    assert_false(world.has(11));
}

void connect_that_goes_on_is_not_reclaimed(void**) {
    World world;
    world.admit(11, 0);
    ballast_reservation& entry = world.buckets[ballast_bucket_choice(11, 0)].entries[0];
    entry.held |= BALLAST_PENDING;
    world.pending.reclaim(used, world.now);
    ballast_entry_confirm(&entry);
    world.now += seconds(2);
    assert_int_equal(world.pending.reclaim(used, world.now), 0);
    assert_true(world.has(11));
}

/// A sweep does not see a socket that never got to SYN_SENT; that alone is no drift.
void pending_connect_is_no_drift(void**) {
    World world;
    world.admit(11, 0);
    world.buckets[ballast_bucket_choice(11, 0)].entries[0].held |= BALLAST_PENDING;
    assert_true(world.visit({}).drift.empty());
    assert_true(world.visit({}).drift.empty());
    assert_true(world.has(11));
}

} // namespace

TEST_GROUP(ledger) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(sockets_that_are_met_are_no_drift),
        cmocka_unit_test(highest_cookies_are_sockets_too),
        cmocka_unit_test(lost_release_is_reported_at_once_and_repaired_the_second_time),
        cmocka_unit_test(connection_made_during_the_sweep_is_no_drift),
        cmocka_unit_test(two_quick_sweeps_repair_nothing),
        cmocka_unit_test(newcomer_missed_once_stays),
        cmocka_unit_test(socket_missed_once_stays),
        cmocka_unit_test(namespace_that_was_not_visited_is_not_judged),
        cmocka_unit_test(namespace_that_could_not_be_visited_is_not_judged_ever),
        cmocka_unit_test(count_without_entries_is_mended_the_second_time),
        cmocka_unit_test(count_is_not_mended_by_two_quick_sweeps),
        cmocka_unit_test(program_held_up_between_its_writes_is_no_drift),
        cmocka_unit_test(count_is_not_mended_while_programs_may_run),
        cmocka_unit_test(connect_that_failed_at_once_is_reclaimed),
        cmocka_unit_test(connect_that_goes_on_is_not_reclaimed),
        cmocka_unit_test(pending_connect_is_no_drift)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_ledger
