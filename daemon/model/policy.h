// SPDX-License-Identifier: Apache-2.0
// The validated policy as plain data: what the configuration says after parsing, defaults applied.
// Invariants
// 1. Names are unique, every range check passed, services.size() <= kMaxServices, targets in all
//    <= kMaxTargets.
// 2. Among the targets of one exact prefix no port belongs to two services, any-port apart, which
//    gives way to a range.
// 3. One exact prefix has at most kMaxPortRanges distinct ranges, and with what it takes over from
//    shorter prefixes at most kMaxPortSpans spans (daemon/model/prefix_rules.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/util/address.h"

namespace ballast {

/// Limits of the maps that hold a policy (bpf/abi.h; policy.cpp asserts that they agree).
inline constexpr std::size_t kMaxServices = 1023; ///< row 0 of the limits means "none"
inline constexpr std::size_t kMaxTargets = 16'384;
inline constexpr std::size_t kMaxPortRanges = 15; ///< distinct, of one exact prefix
inline constexpr std::size_t kMaxPortSpans = 32;

inline constexpr std::size_t kMaxServiceName = 63;
inline constexpr std::uint32_t kMaxConnections = 1'000'000;

/// What a guard may do (DESIGN: "mode"). Values are those of `enum ballast_mode` in bpf/abi.h.
enum class Mode : std::uint8_t { off = 0, observe = 1, enforce = 2 };

/// The errno that a refused connect() sees. Values are those of `enum ballast_on_limit`.
enum class OnLimit : std::uint8_t { refused = 0, again = 1, unreachable = 2 };

/// One element of a service's `to`: a prefix and an inclusive port range, host byte order.
struct Target {
    Prefix prefix;
    std::uint16_t port_first = 0;
    std::uint16_t port_last = 65535;

    [[nodiscard]] bool any_port() const { return port_first == 0 && port_last == 65535; }
    /// "10.1.0.0/16", "10.0.0.5:5432", "[2001:db8:1::]/48:8000-8099"; parse_target() reads it back.
    [[nodiscard]] std::string text() const;
    bool operator==(const Target&) const = default;
};

/// Parses one element of `to`: ADDRESS[/LENGTH][:PORT[-PORT]], with brackets around an IPv6 address
/// that has a port. Ports 1..65535; without a port the target is for any. Host bits are refused.
Result<Target> parse_target(std::string_view text);

/// One policy row. The limits hold per destination.
struct Service {
    std::string name;
    std::vector<Target> to;
    std::optional<std::uint32_t> max_connections; ///< none: counted, never limited
    OnLimit on_limit = OnLimit::refused;
    Mode mode = Mode::observe;
    std::string origin; ///< "FILE:LINE", or "override by USER at TIME" for one set by the CLI

    bool operator==(const Service&) const = default;
};

struct DaemonOptions {
    std::chrono::milliseconds daemon_grace{60'000};  ///< 0: never fail open for a silent daemon
    std::chrono::milliseconds sweep_interval{5'000}; ///< shortest; stretched to stay under 1% CPU
    std::chrono::milliseconds destination_ttl{600'000}; ///< unused for so long: forgotten
    std::string metrics_listen;                         ///< "127.0.0.1:PORT" or empty: none

    bool operator==(const DaemonOptions&) const = default;
};

struct Policy {
    DaemonOptions daemon;
    Mode limit_mode = Mode::observe; ///< [guards] limit: default mode of services that name none
    std::vector<Service> services;

    bool operator==(const Policy&) const = default;
};

} // namespace ballast
