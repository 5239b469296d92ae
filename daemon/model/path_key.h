// SPDX-License-Identifier: Apache-2.0
// Whose path it is that something is known of.
// NOLINT: clang-tidy 14 takes the 0 that a defaulted <=> is compared with for a pointer.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/model/policy.h"
#include "daemon/util/address.h"

namespace ballast {

/// The path to one destination, or the one that a prefix's destinations on a port share.
struct PathKey {
    Prefix prefix; ///< one destination's: of length 128
    std::uint16_t port = 0;

    PathKey() = default;
    PathKey(const Prefix& all, std::uint16_t on) : prefix(all), port(on) {}
    PathKey(const Endpoint& destination) : prefix{destination.address}, port(destination.port) {}

    /// "10.0.0.5:5432", "10.0.0.0/24:5432", "[2001:db8::]/64:5432"; parse_path_key() reads it back.
    [[nodiscard]] std::string text() const;
    auto operator<=>(const PathKey&) const = default; // NOLINT(modernize-use-nullptr)
};

Result<PathKey> parse_path_key(std::string_view text);

/// Where a destination is among paths: by itself, and in the prefix that it shares a path with.
struct PathPlace {
    PathKey own;
    std::optional<PathKey> shared; ///< none: it learns from its own flows only

    PathPlace(const Endpoint& destination, const LearnPrefixes& lengths = {});
};

} // namespace ballast
