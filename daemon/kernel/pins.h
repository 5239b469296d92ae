// SPDX-License-Identifier: Apache-2.0
// The pins of one Ballast: names, what state they are in, and their removal.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// Maps that outlive the daemon, pinned under their own names; `policy` before its users.
inline constexpr std::array<std::string_view, 31> pinned_maps{
    "control",           "counters",       "services",
    "alternatives",      "from_patterns",  "totals",
    "consumers",         "shares",         "destinations",
    "reservations",      "seen",           "times",
    "breakers",          "events",         "free_breakers",
    "service_names",     "sweep_totals",   "policy",
    "destination_index", "consumer_index", "share_index",
    "free_destinations", "free_consumers", "free_shares",
    "user_timeouts",     "suspicions",     "keepalives",
    "connected",         "makers",         "redirected",
    "portless"};

std::string map_pin(const std::string& bpffs_dir, std::string_view map);
std::string link_pin(const std::string& bpffs_dir, std::string_view program);

/// Removes one pin and appends it to `removed`; none there is no error.
Result<void> remove_pin(const std::string& path, std::vector<std::string>& removed);

enum class PinState {
    none,       ///< nothing there: a first load
    complete,   ///< adopt
    incomplete, ///< a load or unload that was cut short: remove and load again
};

/// Looks at the pins. An ABI version other than ours is an error that names both.
Result<PinState> inspect_pins(const std::string& bpffs_dir);

/// Removes all pins, links first, then the directory; returns what was removed. Once nothing
/// changes sockets, those that were changed get back what they had.
Result<std::vector<std::string>> remove_pins(const std::string& bpffs_dir);

} // namespace ballast::kernel
