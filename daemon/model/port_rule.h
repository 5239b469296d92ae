// SPDX-License-Identifier: Apache-2.0
// What may be done for tuples that run out of local ports.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/model/enum_set.h"

namespace ballast {

/// Mildest first, which is the order that they are tried in.
enum class Relief : std::uint8_t {
    flip,      ///< have connect() search the other parity first
    own_range, ///< give out ports outside ip_local_port_range
    spread,    ///< use other source addresses too
    tw_reuse,  ///< let connect() take the ports of connections in TIME_WAIT
    widen,     ///< give connect() more ports
    reap,      ///< end connections in TIME_WAIT
    refuse,    ///< let connect() fail in no time while there are none
};
inline constexpr std::size_t kReliefs = 7;
inline constexpr std::array kAllReliefs{Relief::flip,     Relief::own_range, Relief::spread,
                                        Relief::tw_reuse, Relief::widen,     Relief::reap,
                                        Relief::refuse};

/// Whether it is for one tuple; the others are for a whole network namespace.
constexpr bool is_for_tuple(Relief relief) {
    return relief == Relief::own_range || relief == Relief::spread || relief == Relief::reap ||
           relief == Relief::refuse;
}

/// Stable: in the policy, findings, the API and metrics.
inline constexpr std::array<std::string_view, kReliefs> kReliefNames{
    "flip", "own_range", "spread", "tw_reuse", "widen", "reap", "refuse"};

constexpr std::string_view name_of(Relief relief) {
    return kReliefNames.at(static_cast<std::size_t>(relief));
}

using Reliefs = EnumSet<Relief>;

} // namespace ballast
