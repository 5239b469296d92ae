// SPDX-License-Identifier: Apache-2.0
// The destinations as the programs keep them, in memory shared with them, in the words of the
// model.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "daemon/kernel/maps.h"
#include "daemon/model/destination.h"

namespace ballast::kernel {

class DestinationTable {
public:
    static constexpr std::uint32_t most = BALLAST_MAX_DESTINATIONS;

    /// `maps` must outlive it.
    explicit DestinationTable(const Maps& maps) : maps_(&maps) {}

    /// All that are in use.
    [[nodiscard]] std::vector<Destination> all() const;

    /// Those that a connection was turned away from, or admitted to over a limit.
    [[nodiscard]] std::vector<Destination> with_refusals() const;

    /// The destination that has `index` now, whichever had it before.
    [[nodiscard]] Destination at(std::uint32_t index) const;

    /// Those that somebody tried to connect to since `from` (CLOCK_MONOTONIC). One with connections
    /// that nobody adds to shows nothing of the network.
    [[nodiscard]] std::size_t tried_since(std::chrono::steady_clock::time_point from) const;

    /// All reservations.
    [[nodiscard]] std::uint64_t reservations() const;

    /// Writes the known times of the path to each destination in use for the programs. `times_of`
    /// is called for each; no index is given out and no count corrected meanwhile.
    template <typename TimesOf>
    void tell_of_paths(const TimesOf& times_of) {
        const std::scoped_lock lock(*maps_->bookkeeping);
        for (std::uint32_t index = 0; index < ever_used(); ++index)
            if (is_in_use(index))
                set_times(index, times_of(at(index)));
    }

private:
    void set_times(std::uint32_t index, const KeepaliveTimes& times);
    [[nodiscard]] std::uint32_t ever_used() const;
    [[nodiscard]] bool is_in_use(std::uint32_t index) const;

    const Maps* maps_;
};

} // namespace ballast::kernel
