// SPDX-License-Identifier: Apache-2.0
// The breakers as the programs keep them, in memory shared with them: read for people, forced by
// people and the governor. What programs decide by is only changed by the stores that
// bpf/lib/breaker.h allows (B5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/kernel/maps.h"
#include "daemon/model/breaker_order.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class BreakerTable {
public:
    explicit BreakerTable(Maps& maps) : maps_(&maps) {}

    /// A breaker, but for its service's name, which only the policy knows.
    struct Known {
        std::uint32_t destination = 0; ///< index of `destinations`
        std::uint16_t service = 0;
        BreakerRow row;
    };

    /// All that are in use. `limits` gives the row of a service in the policy in force, or nullptr.
    template <typename Limits>
    [[nodiscard]] std::vector<Known> read(const Limits& limits) const {
        std::vector<Known> found;
        for (std::uint32_t index = 1; index < used(); ++index)
            if (const ballast_breaker& breaker = maps_->breakers[index]; breaker.in_use)
                found.push_back(read_one(breaker, limits(service_of(breaker))));
        return found;
    }

    /// Forces the breakers of all destinations at `order.endpoint`, one for each service that
    /// governs it for somebody. Fails where there is none, or the table of breakers is full.
    Result<void> force(const BreakerOrder& order);

    /// The same for one destination, by its index.
    Result<void> force_one(std::uint32_t destination, const BreakerOrder& order);

    /// The user or governor that forces the destination's breaker; empty: none.
    [[nodiscard]] std::string forced_by(std::uint32_t destination) const;

    /// Clears forced states that have expired, so that admission need not ask. Call now and then.
    /// now_ms: CLOCK_MONOTONIC.
    void expire(std::uint64_t now_ms);

private:
    [[nodiscard]] std::uint32_t used() const;
    [[nodiscard]] std::uint16_t service_of(const ballast_breaker& breaker) const;
    [[nodiscard]] Known read_one(const ballast_breaker& breaker,
                                 const ballast_service* limits) const;
    ballast_breaker* find_or_add(std::uint32_t destination);
    std::uint32_t new_index();
    void mark(const ballast_breaker& breaker);

    Maps* maps_;
};

} // namespace ballast::kernel
