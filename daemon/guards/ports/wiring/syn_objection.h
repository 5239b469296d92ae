// SPDX-License-Identifier: Apache-2.0
// Whether something on the way objects to what a relief has changed: a firewall that still holds
// the connection of before (tw_reuse, own_range), that lets only some ports or addresses pass
// (widen, own_range, spread). It drops SYNs, so they are sent again. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/act/space_relief.h"
#include "daemon/guards/ports/port_ladder.h"

namespace ballast::guards {

/// How far the share of retransmitted SYNs may rise above that of before the relief, in percentage
/// points.
inline constexpr std::uint64_t kMostSynsLostPercent = 2;
/// Fewer show nothing.
inline constexpr std::uint64_t kLeastRetransmits = 3;

/// Whether it does with that rung.
constexpr bool can_be_objected_to(Relief rung) {
    return rung == Relief::tw_reuse || rung == Relief::widen || rung == Relief::own_range ||
           rung == Relief::spread;
}

/// The rung's end, where SYNs are lost since it began. `before`: counts of the namespace then;
/// `tuple`: what it is in force for.
std::optional<ReliefOrder> objection_to(Relief rung, const TupleKey& tuple,
                                        const act::SynCounts& before, const act::SynCounts& now);

} // namespace ballast::guards
