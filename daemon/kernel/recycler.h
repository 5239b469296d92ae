// SPDX-License-Identifier: Apache-2.0
// Gives indexes of `destinations` back when nobody has used them for long enough, so that the table
// is bounded and still never full of the past.
//
// Why a program cannot count under an index that is another destination's by then:
//  1. in_use goes from 0 to BALLAST_RETIRED by one swap, so nobody holds a place, and programs that
//     come now are turned away (they admit uncounted, and count that);
//  2. the key leaves destination_index, so no program can find the index;
//  3. all programs that may have found it before end (PolicyMap::wait_for_programs());
//  4. the element is cleared and its index offered for use.
// A daemon that dies after 1 leaves retired elements; resume() finishes them.
//
// Breakers are given back the same way when they are closed and have long had nothing to count: a
// destination that failed once should not pay for that for ever. In steps 1 and 2's place the
// destination lets go of it. One that opens in that very moment, after a long time without a
// failure, is lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "daemon/kernel/maps.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class Recycler {
public:
    /// Above this share of a table, those idle for `hurried_ttl` go, the oldest first, of who has
    /// most rows.
    static constexpr double hurry_above = 0.5;
    static constexpr std::chrono::seconds hurried_ttl{10};
    /// Maximum in one pass, so that the loop is not held up; in a hurry.
    static constexpr std::size_t batch = 1024;
    static constexpr std::size_t hurried_batch = 8192;

    Recycler(Maps& maps, PolicyMap& policy) : maps_(&maps), policy_(&policy) {}

    /// Finishes what an earlier daemon began. Returns how many indexes were freed.
    Result<std::size_t> resume();

    /// Retires destinations without reservations, unused for `ttl` at `now` (CLOCK_MONOTONIC), or
    /// whose service has left the policy. Returns how many indexes were freed.
    Result<std::size_t> run(std::chrono::nanoseconds now, std::chrono::nanoseconds ttl);

    /// Destinations in the table, by counting.
    [[nodiscard]] std::uint32_t used() const;

private:
    using Indexes = std::vector<std::uint32_t>;

    [[nodiscard]] std::uint32_t ever_used() const;
    /// Those whose time is over; `wanted` of the oldest others besides, idle for hurried_ttl, of
    /// the maker with most rows.
    Indexes choose(std::chrono::nanoseconds now, std::chrono::nanoseconds ttl, bool hurry);
    Result<void> free_breakers(std::chrono::nanoseconds now, std::chrono::nanoseconds ttl);
    [[nodiscard]] Indexes quiet_breakers(std::chrono::nanoseconds now,
                                         std::chrono::nanoseconds ttl) const;
    Result<std::size_t> free(const std::vector<std::uint32_t>& retired);
    [[nodiscard]] bool is_forced(const ballast_destination& destination) const;
    void forget_shares(const std::vector<std::uint32_t>& retired);
    bool free_shares();
    bool free_breaker(std::uint32_t index);

    Maps* maps_;
    PolicyMap* policy_;
    std::vector<std::uint32_t> forgotten_; ///< shares between the two steps
};

} // namespace ballast::kernel
