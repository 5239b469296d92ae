// SPDX-License-Identifier: Apache-2.0
// Sockets of a sweep, added up by remote endpoint.
#include <string>
#include <vector>

#include "daemon/model/peer_table.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_peer_table {

namespace {

using ballast::PeerRow;
using ballast::PeerTable;
using ballast::SweptFlow;
using ballast::TcpState;

SweptFlow flow(std::uint16_t port, TcpState state) {
    SweptFlow made;
    made.remote.address.bytes[15] = 1;
    made.remote.port = port;
    made.state = state;
    return made;
}

std::string name(std::uint16_t id) {
    return id ? "service" + std::to_string(id) : "";
}

void sockets_add_up_by_endpoint(void**) {
    PeerTable table;
    std::vector<SweptFlow> flows;
    for (const auto state :
         {TcpState::established, TcpState::established, TcpState::established, TcpState::syn_sent,
          TcpState::fin_wait1, TcpState::close_wait, TcpState::last_ack})
        flows.push_back(flow(80, state));
    flows[0].rtt_us = 100;
    flows[1].rtt_us = 900;
    flows[2].rtt_us = 300;
    flows[0].idle = std::chrono::seconds(3);
    flows[1].retransmits = 2;
    flows[2].is_outside = true;
    flows.push_back(flow(81, TcpState::established));
    flows.back().is_inbound = true;
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
    PeerTable table;
    for (std::size_t i = 0; i < PeerTable::max_peers + 10; ++i) {
        SweptFlow one = flow(static_cast<std::uint16_t>(i), TcpState::established);
        one.remote.address.bytes[0] = static_cast<std::uint8_t>(i >> 16U);
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
