// SPDX-License-Identifier: Apache-2.0
// Lists of breakers: their order, and how many are in which state. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "daemon/model/snapshot.h"
#include "daemon/model/state_names.h"

namespace ballast::api {

/// Those that refuse first (forced open, open, half-open, ramp), then those that would if they
/// enforced, then those forced closed, then the closed; among equals most failures first, then by
/// endpoint and service.
void sort_breakers(std::vector<BreakerRow>& rows);

struct BreakerCounts {
    std::array<std::size_t, kBreakerStates> states{}; ///< by BreakerState, forced or not
    std::size_t forced_open = 0;
    std::size_t forced_closed = 0;
    std::size_t refusing = 0; ///< BreakerRow::is_refusing()
};
BreakerCounts count_breakers(const std::vector<BreakerRow>& rows);

} // namespace ballast::api
