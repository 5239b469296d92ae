// SPDX-License-Identifier: Apache-2.0
// Reports when a destination starts and stops refusing connections, from two readings of its
// counters. It decides nothing: admission does, in the kernel. Pure; time is passed in.
//
// Reasons: limit_refusing (connects were refused), limit_would_refuse (observe mode let them pass),
// limit_cleared (none for `quiet`). The evidence has the sums of the episode and, for each reason
// that is not 0, how many of them were for it: "refused=3 refused_by_limit=1 refused_by_rate=2".
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "daemon/model/destination.h"
#include "daemon/model/finding.h"
#include "daemon/model/snapshot.h"

namespace ballast::guards {

/// Refused connections by reason: the limit, the total, the consumer's share, the rate, in that
/// order; a breaker reports its own refusals.
inline constexpr std::size_t kLimitReasons = kReasons - 1;
using CountsByReason = std::array<std::uint64_t, kLimitReasons>;

/// All of them.
std::uint64_t sum(const CountsByReason& counts);

/// One reading of one destination's counters.
struct LimitReading {
    std::uint32_t index = 0; ///< what identifies the destination between readings
    CountsByReason refused{};
    CountsByReason over_limit{};
};

class LimitGuard {
public:
    /// A destination without a further event for this long counts as clear.
    static constexpr std::chrono::seconds quiet{60};
    /// Findings per reading; more are coalesced into a count.
    static constexpr std::size_t most_findings = 50;

    using Describe = std::function<DestinationRow(std::uint32_t index)>;

    /// Compares with the previous readings. `describe` is called for destinations that get a
    /// finding. The guard's first readings are only remembered: an earlier daemon's counts are not
    /// news.
    std::vector<Finding> read(std::span<const LimitReading> readings,
                              std::chrono::steady_clock::time_point now, const Describe& describe);

    /// Findings that were coalesced since start.
    [[nodiscard]] std::uint64_t coalesced() const { return coalesced_; }

private:
    struct Known {
        CountsByReason refused{};
        CountsByReason over_limit{};
        CountsByReason refused_before{}; ///< when the present episode began
        CountsByReason over_before{};
        std::chrono::steady_clock::time_point last_event;
        bool in_episode = false;
    };
    void judge(const LimitReading& reading, Known& known, std::chrono::steady_clock::time_point now,
               const Describe& describe, std::vector<Finding>& findings);
    void add(std::vector<Finding>& findings, findings::Reason reason, const DestinationRow& row,
             const Known& known);

    std::unordered_map<std::uint32_t, Known> known_;
    std::uint64_t coalesced_ = 0;
    bool is_first_ = true;
};

} // namespace ballast::guards
