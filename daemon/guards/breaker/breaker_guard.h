// SPDX-License-Identifier: Apache-2.0
// Reports breaker activity: one finding for each change of state, with its evidence. Pure.
//
// Reasons: breaker_opened, breaker_reopened (a probe failed), breaker_probing, breaker_ramping,
// breaker_closed, breaker_withheld (it would have opened, but had no budget or was held closed;
// with dry_run=true the governor grants none).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "daemon/model/breaker_change.h"
#include "daemon/model/finding.h"

namespace ballast::guards {

class BreakerGuard {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// A destination's withheld openings are reported once per this period; the rest are counted.
    static constexpr std::chrono::seconds quiet{10};
    /// Destinations whose last report is remembered.
    static constexpr std::size_t most_known = 8192;

    /// None for a change that was coalesced.
    std::optional<Finding> read(const BreakerChange& change, Monotonic now);

    /// Findings that were coalesced since start.
    [[nodiscard]] std::uint64_t coalesced() const { return coalesced_; }

private:
    std::unordered_map<std::uint32_t, Monotonic> told_; ///< withheld, by destination
    std::uint64_t coalesced_ = 0;
};

} // namespace ballast::guards
