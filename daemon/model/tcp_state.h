// SPDX-License-Identifier: Apache-2.0
// The states of TCP, numbered as the kernel numbers them (include/net/tcp_states.h).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ballast {

enum class TcpState : std::uint8_t {
    unknown = 0,
    established = 1,
    syn_sent,
    syn_recv,
    fin_wait1,
    fin_wait2,
    time_wait,
    close,
    close_wait,
    last_ack,
    listen,
    closing,
};

/// As `ss` prints it: "ESTAB", "SYN-SENT", ...
constexpr std::string_view name_of(TcpState state) {
    constexpr std::array<std::string_view, 12> names{
        "UNKNOWN",   "ESTAB", "SYN-SENT",   "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",
        "TIME-WAIT", "CLOSE", "CLOSE-WAIT", "LAST-ACK", "LISTEN",     "CLOSING"};
    const auto number = static_cast<std::size_t>(state);
    return number < names.size() ? names.at(number) : names.front();
}

} // namespace ballast
