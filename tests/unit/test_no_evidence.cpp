// SPDX-License-Identifier: Apache-2.0
// What teaches nothing: silences in which the host slept, and flows whose peer is this host.
#include "daemon/guards/keepalive/clock_steps.h"
#include "daemon/guards/keepalive/flow_ages.h"
#include "daemon/guards/keepalive/gap_watch.h"
#include "daemon/guards/keepalive/local_peers.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_no_evidence {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::ClockSteps;
using guards::GapWatch;
using Gap = GapWatch::Gap;

/// Fake clocks of a host that sleeps, is paused, or has its clock set.
struct Host {
    ClockSteps steps;
    guards::ClockReading clocks{1h, 1h, 24h};

    bool has_slept() { return steps.look(clocks).has_value(); }
    void runs(std::chrono::nanoseconds time) {
        clocks.monotonic += time;
        clocks.boottime += time;
        clocks.realtime += time;
    }
};

void a_host_that_runs_has_not_slept(void**) {
    Host host;
    assert_false(host.has_slept());
    for (int i = 0; i < 100; ++i) {
        host.runs(5s);
        host.clocks.realtime += 20ms; // as a clock that is slewed
        assert_false(host.has_slept());
    }
}

void suspend_and_pause_show(void**) {
    Host host;
    assert_false(host.has_slept());
    host.runs(5s);
    host.clocks.boottime += 10min;
    host.clocks.realtime += 10min;
    assert_true(host.has_slept());
    host.runs(5s);
    assert_false(host.has_slept());
    host.clocks.realtime += 90s; // a virtual machine learns of its pause by this clock only
    host.runs(5s);
    assert_true(host.steps.look(host.clocks) == 90s);
    host.clocks.realtime -= 90s;
    host.runs(5s);
    assert_false(host.has_slept());
}

guards::GapLook silent(Gap quiet, std::uint32_t packets, bool is_trying = false) {
    return {.cookie = 1,
            .heard = quiet,
            .quiet = quiet,
            .packets_in = packets,
            .packets_out = packets,
            .is_trying = is_trying};
}

void a_silence_across_a_sleep_is_none(void**) {
    GapWatch watch;
    GapWatch::Monotonic now{1h};
    watch.on_flow(silent(30s, 5), now);
    watch.slept(now + 1s);
    now += 10s;
    assert_false(watch.on_flow(silent(1s, 6), now).has_value()); // by jiffies, 39 s
    now += 20s;
    watch.on_flow(silent(21s, 6), now);
    now += 10s;
    assert_true(watch.on_flow(silent(0s, 7), now).has_value()); // this one is all after it
}

void nor_does_a_death_after_one_count(void**) {
    GapWatch watch;
    GapWatch::Monotonic now{1h};
    watch.on_flow(silent(30s, 5), now);
    assert_true(watch.before_trying(1).has_value());
    watch.slept(now);
    now += 5s;
    watch.on_flow(silent(35s, 5, true), now);
    assert_false(watch.before_trying(1).has_value());
}

Endpoint end(const char* address, std::uint16_t port) {
    return {*parse_address(address), port};
}

void peers_on_this_host_are_known(void**) {
    guards::LocalPeers locals;
    assert_true(locals.is_local(7, end("10.0.0.1", 4000), end("127.0.0.9", 80)));
    assert_true(locals.is_local(7, end("::1", 4000), end("::1", 80)));
    assert_true(locals.is_local(7, end("10.0.0.1", 4000), end("10.0.0.1", 80)));
    const auto client = end("10.0.0.1", 4000);
    const auto server = end("10.0.0.5", 5432); // as the client has it; a proxy answers
    assert_false(locals.is_local(7, client, server));
    locals.on_accepted(8, client); // of another namespace, with the same address
    assert_false(locals.is_local(7, client, server));
    locals.on_accepted(7, client);
    assert_true(locals.is_local(7, client, server));
    assert_false(locals.is_local(7, end("10.0.0.1", 4001), server));
    locals.end_sweep();
    assert_true(locals.is_local(7, client, server));
    locals.end_sweep();
    assert_false(locals.is_local(7, client, server));
}

void ages_last_as_long_as_flows(void**) {
    guards::FlowAges ages;
    const guards::FlowAges::Monotonic start{1h};
    assert_true(ages.on_flow(1, start) == start);
    assert_true(ages.on_flow(1, start + 5s) == start);
    ages.end_sweep(start + 5s + guards::FlowAges::grace);
    assert_true(ages.is_known(1));
    ages.end_sweep(start + 6s + guards::FlowAges::grace);
    assert_false(ages.is_known(1));
}

} // namespace

TEST_GROUP(no_evidence) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_runs_has_not_slept),
        cmocka_unit_test(suspend_and_pause_show),
        cmocka_unit_test(a_silence_across_a_sleep_is_none),
        cmocka_unit_test(nor_does_a_death_after_one_count),
        cmocka_unit_test(peers_on_this_host_are_known),
        cmocka_unit_test(ages_last_as_long_as_flows),
    };
    return cmocka_run_group_tests_name("no_evidence", tests, nullptr, nullptr);
}

} // namespace test_no_evidence
