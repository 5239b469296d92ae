// SPDX-License-Identifier: Apache-2.0
// Tells what breakers did: one finding for each change of state, with its evidence. Pure.
//
// Reasons: breaker_opened, breaker_reopened (a probe failed), breaker_probing, breaker_ramping,
// breaker_closed, breaker_withheld (it would have opened, but had no budget or was held closed;
// with dry_run=true the governor grants none).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "daemon/model/finding.h"
#include "daemon/model/snapshot.h"

namespace ballast::guards {

/// One change of a breaker, as the programs reported it.
struct BreakerChange {
    std::uint32_t index = 0; ///< of the destination
    Endpoint endpoint;
    std::string service;
    Mode mode = Mode::observe;
    BreakerState from = BreakerState::closed;
    BreakerState to = BreakerState::closed;
    bool withheld = false;
    bool dry_run = false; ///< of the governor
    std::uint32_t level = 0;
    std::chrono::milliseconds lasts{0};              ///< until the new state's deadline
    std::array<std::uint32_t, kFailures> failures{}; ///< in the window, where it opened
    std::string last_error;
};

class BreakerGuard {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// A destination's withheld openings are told once in so long; the rest is counted.
    static constexpr std::chrono::seconds quiet{10};
    /// Destinations whose last telling is remembered.
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
