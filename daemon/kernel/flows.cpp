// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/flows.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <limits>

namespace ballast::kernel {

namespace {

Endpoint endpoint(const std::uint8_t (&address)[16], std::uint16_t port) {
    Endpoint result;
    std::memcpy(result.address.bytes.data(), address, sizeof(address));
    result.port = port;
    return result;
}

} // namespace

std::uint32_t jiffies_per_second() {
    constexpr long nanoseconds = 1'000'000'000;
    timespec tick{};
    if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_nsec <= 0)
        return 250;
    return static_cast<std::uint32_t>((nanoseconds + tick.tv_nsec / 2) / tick.tv_nsec);
}

std::string_view state_name(std::uint8_t state) {
    static constexpr std::array<std::string_view, 13> names{
        "UNKNOWN", "ESTAB",      "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",  "TIME-WAIT",
        "CLOSE",   "CLOSE-WAIT", "LAST-ACK", "LISTEN",   "CLOSING",    "NEW-SYN-RECV"};
    return names.at(state < names.size() ? state : 0);
}

Endpoint remote_of(const ballast_flow& flow) {
    return endpoint(flow.remote_address, flow.remote_port);
}

Endpoint local_of(const ballast_flow& flow) {
    return endpoint(flow.local_address, flow.local_port);
}

std::uint32_t idle_ms(const ballast_flow& flow, std::uint32_t hz) {
    const std::uint64_t ms = std::uint64_t{flow.idle_jiffies} * 1000 / hz;
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(ms, std::numeric_limits<std::uint32_t>::max()));
}

FlowRow to_row(const ballast_flow& flow, const std::string& service, std::uint32_t hz) {
    FlowRow row;
    row.local = local_of(flow);
    row.remote = remote_of(flow);
    row.direction = flow.flags & BALLAST_FLOW_INBOUND ? Direction::inbound : Direction::outbound;
    row.state = state_name(flow.state);
    row.service = service;
    row.cookie = flow.cookie;
    row.netns = flow.netns;
    row.rtt_us = flow.rtt_us;
    row.idle_ms = idle_ms(flow, hz);
    row.retransmits = flow.retransmits;
    row.reserved = (flow.flags & BALLAST_FLOW_RESERVED) != 0;
    row.keepalive = {.on = flow.keepalive.on != 0,
                     .set_by = static_cast<KeepaliveSetter>(flow.keepalive.setter),
                     .wanted = flow.keepalive.wanted != 0,
                     .count = flow.keepalive.count,
                     .idle_s = flow.keepalive.idle_s,
                     .interval_s = flow.keepalive.interval_s,
                     .user_timeout_ms = flow.keepalive.user_timeout_ms};
    return row;
}

} // namespace ballast::kernel
