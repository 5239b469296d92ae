// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/destination_table.h"

#include <algorithm>

#include "bpf/abi.h"

namespace ballast::kernel {

namespace {

bool has_any(const __u64 (&counts)[BALLAST_REASONS]) {
    return std::ranges::any_of(counts, [](auto count) { return count != 0; });
}

/// Sockets are changed for a shorter time, but not for a slightly longer one.
bool is_news(std::uint32_t known, std::uint32_t wanted) {
    return wanted < known || wanted > known + known / 20;
}

std::uint32_t word(std::chrono::milliseconds time) {
    return static_cast<std::uint32_t>(std::max<std::int64_t>(time.count(), 0));
}

} // namespace

std::uint32_t DestinationTable::ever_used() const {
    return std::min<std::uint32_t>(maps_->control->next_destination, BALLAST_MAX_DESTINATIONS);
}

bool DestinationTable::is_in_use(std::uint32_t index) const {
    const ballast_destination& row = maps_->destinations[index];
    return row.service != 0 && (row.in_use & BALLAST_RETIRED) == 0;
}

Destination DestinationTable::at(std::uint32_t index) const {
    const ballast_destination& row = maps_->destinations[index];
    Destination made;
    made.index = index;
    std::ranges::copy(row.address, made.endpoint.address.bytes.begin());
    made.endpoint.port = row.port;
    made.service = row.service;
    made.in_use = row.in_use & ~BALLAST_RETIRED;
    made.admitted = row.admitted;
    made.adopted = row.adopted;
    std::copy_n(row.refused, kReasons, made.refused.begin());
    std::copy_n(row.over, kReasons, made.over_limit.begin());
    return made;
}

std::vector<Destination> DestinationTable::all() const {
    std::vector<Destination> found;
    for (std::uint32_t index = 0; index < ever_used(); ++index)
        if (is_in_use(index))
            found.push_back(at(index));
    return found;
}

std::vector<Destination> DestinationTable::with_refusals() const {
    std::vector<Destination> found;
    for (std::uint32_t index = 0; index < ever_used(); ++index)
        if (const auto& row = maps_->destinations[index]; has_any(row.refused) || has_any(row.over))
            found.push_back(at(index));
    return found;
}

std::size_t DestinationTable::tried_since(std::chrono::steady_clock::time_point from) const {
    const std::chrono::nanoseconds since = from.time_since_epoch();
    const auto from_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(since.count(), 0));
    const auto all = maps_->destinations.first(ever_used());
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](const auto& row) { return row.service && row.last_use_ns >= from_ns; }));
}

std::uint64_t DestinationTable::reservations() const {
    std::uint64_t sum = 0;
    for (const auto& row : maps_->destinations.first(ever_used()))
        sum += row.in_use & ~BALLAST_RETIRED;
    return sum;
}

void DestinationTable::set_times(std::uint32_t index, const KeepaliveTimes& times) {
    ballast_destination& row = maps_->destinations[index];
    const std::uint32_t longest = word(times.longest);
    const std::uint32_t died = word(times.died);
    if (!is_news(row.keepalive_longest_ms, longest) && !is_news(row.keepalive_died_ms, died))
        return;
    store_relaxed(row.keepalive_died_ms, died);
    store_relaxed(row.keepalive_longest_ms, longest);
}

} // namespace ballast::kernel
