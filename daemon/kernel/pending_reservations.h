// SPDX-License-Identifier: Apache-2.0
// Reservations whose connect() failed before SYN_SENT while the application keeps the socket open.
// Finding them visits no socket, so the sweeper may be held up meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "daemon/kernel/reservations.h"

namespace ballast::kernel {

class PendingReservations {
public:
    /// A reservation seen pending twice, at least this far apart, is given back.
    static constexpr std::chrono::seconds min_age{1};

    PendingReservations(std::span<ballast_bucket> buckets, Counts::Memory memory)
        : reservations_(buckets, memory) {}

    /// Call it every second; returns how many were released.
    std::uint64_t reclaim(Used used, Monotonic now);

private:
    struct Met {
        std::uint64_t cookie;
        Monotonic since;
    };

    Reservations reservations_;
    std::unordered_map<std::uint32_t, Met> met_; ///< by entry number
    std::uint64_t activity_ = 0;                 ///< admissions when last looked
};

} // namespace ballast::kernel
