// SPDX-License-Identifier: Apache-2.0
// What may be done for tuples that run out of local ports.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/model/enum_set.h"

namespace ballast {

/// Mildest first, which is the order that they are tried in. Each is for a whole network namespace.
enum class Relief : std::uint8_t {
    flip,     ///< have connect() search the other parity first
    tw_reuse, ///< let connect() take the ports of connections in TIME_WAIT
    widen,    ///< give connect() more ports
};
inline constexpr std::size_t kReliefs = 3;

/// Stable: in the policy, findings, the API and metrics.
inline constexpr std::array<std::string_view, kReliefs> kReliefNames{"flip", "tw_reuse", "widen"};

constexpr std::string_view name_of(Relief relief) {
    return kReliefNames.at(static_cast<std::size_t>(relief));
}

using Reliefs = EnumSet<Relief>;

} // namespace ballast
