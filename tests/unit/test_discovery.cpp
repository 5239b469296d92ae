// SPDX-License-Identifier: Apache-2.0
// How a measurement ends where it is not a bracket after a while, and what it holds itself to.
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/discovery_world.h"

namespace test_discovery {

namespace {

using namespace ballast::test;
using ballast::discovery::Death;
using ballast::discovery::DiscoveryOptions;

constexpr std::uint32_t kSeed = 1;

struct Told {
    Findings found;
    Gap elapsed;
    std::size_t most_open;
};

/// Two minutes at most are looked for, unless told otherwise.
Told run(const WorldOptions& options, DiscoveryOptions wanted = {.longest = Gap(120'000)}) {
    World world(wanted, options, kSeed);
    const Findings found = world.run();
    if (!world.wrong().empty())
        fail_msg("%s", world.wrong().c_str());
    assert_false(world.anything_open());
    return {found, world.elapsed(), world.most_open()};
}

void no_timeout_is_said_so(void**) {
    const auto told = run({});
    assert_true(told.found.state == Discovered::none_up_to_max);
    assert_true(told.found.survived >= Gap(120'000) && !told.found.died);
    assert_true(told.elapsed < Gap(120'000) * 13 / 10);
}

void shorter_than_the_shortest(void**) {
    const auto told = run({.timeout = Gap(500)});
    assert_true(told.found.state == Discovered::bracketed && !told.found.survived);
    assert_true(told.found.died >= Gap(2'000) && told.found.died < Gap(2'100));
}

void never_more_open_than_allowed(void**) {
    for (const std::size_t connections : {2U, 3U, 5U, 12U}) {
        const auto told = run({.timeout = Gap(9'000)}, {.connections = connections});
        assert_true(told.found.state == Discovered::bracketed);
        assert_int_equal(told.most_open, connections);
    }
}

/// However much a longest timeout would take, a short one is found at once.
void a_long_maximum_costs_nothing(void**) {
    const auto told = run({.timeout = Gap(5'000)}, {.longest = std::chrono::hours(24)});
    assert_true(told.found.state == Discovered::bracketed);
    assert_true(told.elapsed < Gap(6'500));
}

void an_announced_timeout_is_exact(void**) {
    const auto told = run({.resets_after = Gap(30'000)});
    assert_true(told.found.state == Discovered::bracketed);
    assert_true(told.found.death == Death::reset_unasked);
    assert_true(*told.found.died >= Gap(29'900) && *told.found.died <= Gap(30'100));
}

void a_server_that_closes_at_once(void**) {
    const auto told = run({.closes_after = Gap(3)});
    assert_true(told.found.state == Discovered::closes_at_once);
    assert_int_equal(told.found.opened, 11); // and not again and again
    assert_true(told.elapsed < Gap(1'000));
}

/// Connections of all ages are reset in one moment.
void a_restart_tells_nothing(void**) {
    const auto told = run({.restarts_at = Gap(50'000)});
    assert_true(told.found.state == Discovered::ends_at_will);
    assert_true(told.found.survived >= Gap(20'000) && !told.found.died);
}

void a_server_that_talks(void**) {
    const auto told = run({.greets_after = Gap(5'000), .talks_every = Gap(5'000)});
    assert_true(told.found.state == Discovered::not_silent);
    assert_true(told.found.survived >= Gap(4'000) && !told.found.died);
    const auto chatty = run({.greets_after = Gap(100), .talks_every = Gap(700)});
    assert_true(chatty.found.state == Discovered::not_silent && !chatty.found.survived);
}

/// What is probed after the destination went down is not taken for dropped.
void a_destination_that_dies(void**) {
    const auto told = run({.dies_at = Gap(10'000)});
    assert_true(told.found.state == Discovered::cannot_open);
    assert_true(told.found.survived >= Gap(7'000) && !told.found.died);
}

/// A limit of which nothing was known.
void fewer_places_than_thought(void**) {
    for (const unsigned places : {2U, 3U, 6U, 11U}) {
        const auto told = run({.timeout = Gap(20'000), .refuses_after = places});
        assert_true(told.found.state == Discovered::bracketed);
        assert_true(*told.found.survived <= Gap(20'000) && *told.found.died >= Gap(20'000));
        assert_int_equal(told.most_open, places);
    }
}

/// A server that closes one connection for a reason of its own.
void one_odd_end_does_no_harm(void**) {
    const auto told = run({.timeout = Gap(40'000), .closes_youngest_at = Gap(30'000)});
    assert_true(told.found.state == Discovered::bracketed);
    assert_int_equal(told.found.odd_ends, 1);
    assert_true(*told.found.survived <= Gap(40'000) && *told.found.died >= Gap(40'000));
}

void a_long_way_is_waited_for(void**) {
    const auto told = run({.rtt = Gap(400)});
    assert_true(told.found.state == Discovered::none_up_to_max);
    assert_int_equal(told.found.volleys_lost, 0);
}

/// A flow that lived on for as long as another that was dropped.
void flows_that_differ_are_counted(void**) {
    Discovery discovery({.longest = Gap(2'300)});
    Discovery::Time now{std::chrono::hours(1)};
    const auto accept_all = [&] {
        for (const auto& [act, flow] : discovery.due(now))
            if (act == Discovery::Act::open)
                discovery.opened(flow, now, now, std::chrono::milliseconds(1));
    };
    accept_all();
    now += Gap(3'000); // all rungs at once, much too late
    const auto probes = discovery.due(now);
    assert_int_equal(probes.size(), 3);
    discovery.was_reset(probes[1].flow, now);
    accept_all();
    discovery.due(now);
    assert_true(discovery.findings().died == Gap(3'000));
    discovery.answered(probes[0].flow, now);
    assert_int_equal(discovery.findings().contradictions, 1);
    assert_true(discovery.findings().survived == Gap(3'000) && !discovery.findings().died);
}

/// A server counts from where it likes; what it makes of a late packet is not known.
void a_silence_that_was_broken_is_no_contradiction(void**) {
    Discovery discovery({.longest = Gap(120'000)});
    Discovery::Time now{std::chrono::hours(1)};
    std::vector<Discovery::Flow> flows;
    for (const auto& [act, flow] : discovery.due(now)) {
        assert_true(act == Discovery::Act::open);
        discovery.opened(flow, now, now, std::chrono::milliseconds(1));
        flows.push_back(flow);
    }
    now += Gap(1'500);
    discovery.stirred(flows.front(), now, now);
    now += Gap(500);
    for (const auto flow : flows)
        discovery.finished(flow, now);
    now += Discovery::together;
    discovery.due(now);
    assert_int_equal(static_cast<int>(discovery.findings().state),
                     static_cast<int>(Discovered::peer_closes));
    assert_true(discovery.findings().closes_after == Gap(2'000));
}

} // namespace

TEST_GROUP(discovery) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(no_timeout_is_said_so),
        cmocka_unit_test(shorter_than_the_shortest),
        cmocka_unit_test(never_more_open_than_allowed),
        cmocka_unit_test(a_long_maximum_costs_nothing),
        cmocka_unit_test(an_announced_timeout_is_exact),
        cmocka_unit_test(a_server_that_closes_at_once),
        cmocka_unit_test(a_restart_tells_nothing),
        cmocka_unit_test(a_server_that_talks),
        cmocka_unit_test(a_destination_that_dies),
        cmocka_unit_test(fewer_places_than_thought),
        cmocka_unit_test(one_odd_end_does_no_harm),
        cmocka_unit_test(a_long_way_is_waited_for),
        cmocka_unit_test(flows_that_differ_are_counted),
        cmocka_unit_test(a_silence_that_was_broken_is_no_contradiction),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_discovery
