// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/port_relief.h"

#include <fmt/format.h>

namespace ballast {

namespace {

constexpr std::uint32_t percent_of(std::uint32_t part, std::uint32_t whole) {
    return whole == 0 ? 0 : static_cast<std::uint32_t>(std::uint64_t{part} * 100 / whole);
}

/// Most of its ports wait for nothing but the time.
bool is_churn(const PortRow& row) {
    return percent_of(row.time_wait, row.used) >= 50;
}

std::string more_ports(const PortRow& row) {
    if (is_churn(row))
        return fmt::format("reuse connections: {}% of its ports are in TIME_WAIT, for 60 s each; "
                           "another source address doubles its ports",
                           percent_of(row.time_wait, row.used));
    if (percent_of(row.close_wait, row.used) >= 50)
        return fmt::format("have the program close its sockets: {} are in CLOSE_WAIT",
                           row.close_wait);
    return "use fewer connections; another source address doubles its ports";
}

/// The other parity is searched first then, which is empty below it.
std::string shift(const PortRow& row) {
    const bool has_room = row.high < 65535;
    const int by = has_room ? 1 : -1;
    return fmt::format(
        "sysctl net.ipv4.ip_local_port_range=\"{} {}\": connect() takes microseconds "
        "again, until all ports are used",
        row.low + by, row.high + by);
}

} // namespace

std::string relief_of(const PortRow& row) {
    switch (row.state) {
    case PortState::ok:
        return {};
    case PortState::poisoned:
        return fmt::format("find who binds ports before connect(): {} of them are lost for all; "
                           "IP_BIND_ADDRESS_NO_PORT avoids that",
                           row.poisoned);
    case PortState::knee:
        return shift(row);
    case PortState::filling:
    case PortState::exhausted:
        return more_ports(row);
    }
    return {};
}

} // namespace ballast
