// SPDX-License-Identifier: Apache-2.0
// IP addresses and prefixes as Ballast keys them: 16 bytes, network byte order, IPv4 as
// ::ffff:a.b.c.d.
// NOLINT: clang-tidy 14 takes the 0 that a defaulted <=> is compared with for a pointer.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/util/error.h"

namespace ballast {

/// 16 bytes in network byte order; IPv4 is v4-mapped (RFC 4291 section 2.5.5.2).
struct Address {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] bool is_v4() const;
    /// RFC 5952 text; an IPv4 address as dotted quad.
    [[nodiscard]] std::string text() const;
    auto operator<=>(const Address&) const = default; // NOLINT(modernize-use-nullptr)
};

/// `length` is 0..128 in the v4-mapped space: 10.0.0.0/8 has length 104.
struct Prefix {
    Address address;
    std::uint8_t length = 128;

    /// "10.0.0.0/8", "2001:db8::/32"; without "/n" where it is one address.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool contains(const Address& other) const;
    auto operator<=>(const Prefix&) const = default; // NOLINT(modernize-use-nullptr)
};

/// The prefix of `length` (0..128, in the v4-mapped space) that `address` is in.
Prefix prefix_of(const Address& address, std::uint8_t length);

/// A destination: one remote address and port (host byte order).
struct Endpoint {
    Address address;
    std::uint16_t port = 0;

    /// "10.0.0.5:5432", "[2001:db8::5]:5432".
    [[nodiscard]] std::string text() const;
    auto operator<=>(const Endpoint&) const = default; // NOLINT(modernize-use-nullptr)
};

/// Parses an IPv4 or IPv6 literal (no zone, no port). Leading zeros in IPv4 are refused.
Result<Address> parse_address(std::string_view text);

/// Parses "a.b.c.d[/n]" or "v6[/n]"; host bits that are set below the length are refused.
Result<Prefix> parse_prefix(std::string_view text);

/// Parses a decimal port, 1..65535, without sign or leading zero.
Result<std::uint16_t> parse_port(std::string_view text);

/// Parses "a.b.c.d:port" or "[v6]:port", port 1..65535.
Result<Endpoint> parse_endpoint(std::string_view text);

} // namespace ballast
