// SPDX-License-Identifier: Apache-2.0
// What the programs report, in the words of the model: units, directions, addresses.
#include <cstring>

#include "daemon/kernel/flows.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_flows {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

ballast_suspicion record() {
    ballast_suspicion made{};
    made.cookie = 77;
    made.now_ns = 5'000'000'000;
    const auto local = parse_endpoint("10.0.0.1:4000")->address.bytes;
    const auto remote = parse_endpoint("[fd00::5]:1")->address.bytes;
    std::memcpy(made.local_address, local.data(), local.size());
    std::memcpy(made.remote_address, remote.data(), remote.size());
    made.local_port = 4000;
    made.remote_port = 5432;
    made.netns = 9;
    made.interface = 3;
    made.silent_jiffies = 250;
    made.srtt_us = 1500;
    made.retransmits = 2;
    made.probes = 1;
    made.bytes_acked = 1ULL << 40;
    made.packets_out = 4;
    made.snd_wnd = 100;
    made.total_retrans = 6;
    made.data_segs_out = 60;
    return made;
}

void names_the_flow(void**) {
    const auto made = kernel::to_model(record(), 250);
    assert_string_equal(made.key.local.text().c_str(), "10.0.0.1:4000");
    assert_string_equal(made.key.remote.text().c_str(), "[fd00::5]:5432");
    assert_int_equal(made.key.cookie, 77);
    assert_int_equal(made.key.interface_index, 3);
    assert_int_equal(made.netns, 9);
    assert_true(made.bytes_acked == 1ULL << 40);
    assert_true(made.direction == Direction::outbound);
    assert_true(made.what == Suspicion::What::retransmission);
}

void times_are_milliseconds_at_any_clock(void**) {
    auto told = record();
    assert_int_equal(kernel::to_model(told, 250).silent.count(), 1000);
    assert_int_equal(kernel::to_model(told, 1000).silent.count(), 250);
    assert_int_equal(kernel::to_model(told, 100).silent.count(), 2500);
    assert_int_equal(kernel::to_model(told, 250).rtt.count(), 2); // rounded up
    assert_true(kernel::to_model(told, 250).at.time_since_epoch() == 5s);
    told.try_jiffies = 500;
    assert_true(kernel::to_model(told, 250).try_gap == 2s);
}

void kinds_and_flags_are_those_of_the_contract(void**) {
    auto told = record();
    told.kind = BALLAST_SUSPICION_RESET;
    assert_true(kernel::to_model(told, 250).what == Suspicion::What::reset);
    told.kind = BALLAST_SUSPICION_TIMED_OUT;
    told.flags = BALLAST_SUSPICION_INBOUND | BALLAST_SUSPICION_TAIL_PROBE;
    const auto made = kernel::to_model(told, 250);
    assert_true(made.what == Suspicion::What::timed_out);
    assert_true(made.direction == Direction::inbound);
    assert_true(made.is_tail_probe);
}

void a_sweep_tells_of_keepalive(void**) {
    ballast_flow met{};
    met.cookie = 78;
    met.netns = 9;
    met.interface = 3;
    met.flags = BALLAST_FLOW_INBOUND | BALLAST_FLOW_PROBING;
    met.idle_jiffies = 2500;
    met.rtt_us = 1500;
    met.probes = 4;
    const std::chrono::steady_clock::time_point now{1h};
    const auto made = suspicion_of(kernel::to_model(met, 250), now);
    assert_true(made.what == Suspicion::What::probe);
    assert_true(made.direction == Direction::inbound);
    assert_int_equal(made.key.cookie, 78);
    assert_int_equal(made.key.interface_index, 3);
    assert_int_equal(made.netns, 9);
    assert_int_equal(made.probes, 4);
    assert_true(made.at == now && made.silent == 10s && made.earlier == 10s && made.rtt == 2ms);
}

} // namespace

TEST_GROUP(flows) {
    const CMUnitTest tests[] = {cmocka_unit_test(names_the_flow),
                                cmocka_unit_test(times_are_milliseconds_at_any_clock),
                                cmocka_unit_test(kinds_and_flags_are_those_of_the_contract),
                                cmocka_unit_test(a_sweep_tells_of_keepalive)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_flows
