// SPDX-License-Identifier: Apache-2.0
// Sockets of a sweep, added up by remote endpoint.
#include <string>
#include <vector>

#include "daemon/app/peer_table.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_peer_table {

namespace {

using ballast::PeerRow;
using ballast::app::PeerTable;

constexpr std::uint32_t hz = 250;

ballast_flow flow(std::uint16_t port, std::uint8_t state) {
    ballast_flow made{};
    made.remote_address[15] = 1;
    made.remote_port = port;
    made.state = state;
    return made;
}

std::string name(std::uint16_t id) {
    return id ? "service" + std::to_string(id) : "";
}

void sockets_add_up_by_endpoint(void**) {
    PeerTable table(hz);
    std::vector<ballast_flow> flows;
    for (const int state : {1, 1, 1, 2, 4, 8, 9})
        flows.push_back(flow(80, static_cast<std::uint8_t>(state)));
    flows[0].rtt_us = 100;
    flows[1].rtt_us = 900;
    flows[2].rtt_us = 300;
    flows[0].idle_jiffies = hz * 3;
    flows[1].retransmits = 2;
    flows[2].flags = BALLAST_FLOW_OUTSIDE;
    flows.push_back(flow(81, 1));
    flows.back().flags = BALLAST_FLOW_INBOUND;
    table.add(flows);
    const std::vector<PeerRow> rows = table.take(name);
    assert_int_equal(rows.size(), 1);
    assert_int_equal(rows[0].connections, 7);
    assert_int_equal(rows[0].established, 3);
    assert_int_equal(rows[0].governed, 2);
    assert_int_equal(rows[0].connecting, 1);
    assert_int_equal(rows[0].closing, 3);
    assert_int_equal(rows[0].retransmitting, 1);
    assert_int_equal(rows[0].rtt_median_us, 300);
    assert_int_equal(rows[0].idle_max_ms, 3000);
    assert_true(table.take(name).empty());
}

void table_is_bounded_and_says_so(void**) {
    PeerTable table(hz);
    for (std::size_t i = 0; i < PeerTable::max_peers + 10; ++i) {
        ballast_flow one = flow(static_cast<std::uint16_t>(i), 1);
        one.remote_address[0] = static_cast<std::uint8_t>(i >> 16U);
        one.service = static_cast<std::uint16_t>(i / 60000);
        table.add({&one, 1});
    }
    assert_int_equal(table.left_out(), 10);
    assert_int_equal(table.take(name).size(), PeerTable::max_peers);
}

} // namespace

TEST_GROUP(peer_table) {
    const CMUnitTest tests[] = {cmocka_unit_test(sockets_add_up_by_endpoint),
                                cmocka_unit_test(table_is_bounded_and_says_so)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_peer_table
