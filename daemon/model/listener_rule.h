// SPDX-License-Identifier: Apache-2.0
// What the policy has of listeners: which SYNs are shed as they come in by this host's devices.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/mode.h"
#include "daemon/util/address.h"

namespace ballast {

/// Limits of the maps (bpf/abi_shed.h; daemon/kernel/shedder.cpp asserts that they agree).
inline constexpr std::size_t kMaxListenerRules = 31;
inline constexpr std::size_t kMaxGuarded = 512; ///< elements of `on` in all
inline constexpr std::size_t kMaxSpared = 2048; ///< elements of `spare` in all
inline constexpr std::size_t kMaxDevicePatterns = 64;

/// An element of `on`: where a SYN goes. Without an address: to any of this host's.
struct GuardedAddress {
    std::optional<Address> address;
    std::uint16_t port = 0;

    /// "10.0.0.2:443", "[2001:db8::1]:443", "*:443"; parse_guarded() reads it back.
    [[nodiscard]] std::string text() const;
    auto operator<=>(const GuardedAddress&) const = default; // NOLINT(modernize-use-nullptr)
};

/// Parses an element of `on`. Ports 1..65535.
Result<GuardedAddress> parse_guarded(std::string_view text);

/// What a refused client sees.
enum class ShedAction : std::uint8_t {
    rst,  ///< ECONNREFUSED at once
    drop, ///< nothing: it tries again, after 1, 3, 7 s
};
inline constexpr std::array<std::string_view, 2> kShedActionNames{"rst", "drop"};

/// One [[listener]].
struct ListenerRule {
    std::string name;
    std::vector<GuardedAddress> on;
    Mode mode = Mode::observe;
    ShedAction action = ShedAction::rst;
    std::uint8_t low_percent = 50;  ///< of the accept queue: from there on some are shed
    std::uint8_t high_percent = 90; ///< and from there on all
    /// Age of the oldest in the accept queue that is aimed at; 0: any. CoDel has 5 ms for links;
    /// a worker's time slice alone is of that order.
    std::chrono::milliseconds target{20};
    std::chrono::milliseconds interval{100}; ///< as CoDel's: RFC 8289, 4.3
    std::vector<Prefix> spare;
    std::uint8_t spare_percent = 10; ///< of the accept queue, kept for `spare` if there is any
    std::uint8_t share_percent = 0;  ///< most of a source, of what is admitted; 0: any
    std::uint8_t source_ipv4 = 32;   ///< leading bits that make a source
    std::uint8_t source_ipv6 = 64;
    std::uint32_t max_rate = 0; ///< SYNs a second; 0: any
    std::uint32_t burst = 0;    ///< that may come at once; 0: as max_rate
    std::string origin;         ///< "FILE:LINE"

    bool operator==(const ListenerRule&) const = default;
};

/// [listeners].
struct ListenerOptions {
    Mode mode = Mode::observe; ///< of rules that name none
    std::vector<std::string>
        interfaces; ///< globs of this host's devices; none: no SYN is looked at

    bool operator==(const ListenerOptions&) const = default;
};

} // namespace ballast
