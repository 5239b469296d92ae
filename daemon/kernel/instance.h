// SPDX-License-Identifier: Apache-2.0
// One loaded Ballast: its programs, its maps, and what gives room in them back.
#pragma once

#include <memory>
#include <vector>

#include "daemon/kernel/datapath.h"
#include "daemon/kernel/destination_table.h"
#include "daemon/kernel/pending_reservations.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/kernel/programs.h"
#include "daemon/kernel/recycler.h"

namespace ballast::kernel {

class Instance {
public:
    /// As Programs::load().
    static Result<std::unique_ptr<Instance>> load(const LoadOptions& options);

    [[nodiscard]] Programs& programs() { return programs_; }
    [[nodiscard]] Maps& maps() { return maps_; }
    [[nodiscard]] PolicyMap& services() { return services_; }
    [[nodiscard]] const Datapath& datapath() const { return datapath_; }
    [[nodiscard]] const DestinationTable& destinations() const { return destinations_; }
    /// Destinations in the table.
    [[nodiscard]] std::uint32_t destinations_used() const { return recycler_.used(); }

    /// Finishes the recycling that an earlier daemon began.
    Result<std::size_t> resume() { return recycler_.resume(); }

    /// Releases reservations of connects that failed at once; returns how many. Call it every
    /// second; now: CLOCK_MONOTONIC.
    std::uint64_t reclaim(Monotonic now);

    /// What recycle() freed, and what failed.
    struct Recycled {
        std::size_t destinations = 0;
        std::size_t consumers = 0;
        std::vector<Error> failures;
    };
    /// Frees destinations unused for `ttl`, and consumers that are gone; call it every ten seconds
    /// or so.
    Recycled recycle(Monotonic now, std::chrono::nanoseconds ttl);

private:
    explicit Instance(Programs programs);

    Programs programs_;
    Maps& maps_;
    PolicyMap services_;
    Recycler recycler_;
    PendingReservations pending_;
    Datapath datapath_;
    DestinationTable destinations_;
};

} // namespace ballast::kernel
