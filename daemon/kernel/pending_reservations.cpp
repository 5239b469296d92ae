// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/pending_reservations.h"

#include <utility>

#include "bpf/lib/reservation.h"

namespace ballast::kernel {

std::uint64_t PendingReservations::reclaim(Used used, Monotonic now) {
    std::uint64_t total = 0;
    for (const auto& destination : reservations_.counts().destinations(used.destinations))
        total += BALLAST_LOAD(destination.admitted);
    if (met_.empty() && total == activity_)
        return 0;
    activity_ = total;

    std::uint64_t released = 0;
    std::unordered_map<std::uint32_t, Met> still;
    for (std::uint32_t number = 0; number < reservations_.size(); ++number) {
        const std::uint64_t cookie = BALLAST_LOAD(reservations_.at(number).cookie);
        if (!is_entry(cookie) || !(BALLAST_LOAD(reservations_.at(number).held) & BALLAST_PENDING))
            continue;
        const auto known = met_.find(number);
        const bool is_known = known != met_.end() && known->second.cookie == cookie;
        if (!is_known)
            still.emplace(number, Met{cookie, now});
        else if (now - known->second.since < min_age)
            still.insert(*known);
        else if (reservations_.release(number, cookie))
            ++released;
    }
    met_ = std::move(still);
    return released;
}

} // namespace ballast::kernel
