// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/counts.h"

#include <algorithm>

#include "bpf/lib/limit.h"
#include "bpf/lib/reservation.h"

namespace ballast::kernel {

Used used(const Maps& maps) {
    return {.destinations =
                std::min<std::uint32_t>(maps.control->next_destination, BALLAST_MAX_DESTINATIONS),
            .shares = std::min<std::uint32_t>(maps.control->next_share, BALLAST_MAX_SHARES)};
}

Counts::Memory counts_of(const Maps& maps) {
    return {.destinations = maps.destinations,
            .totals = maps.totals,
            .consumers = maps.consumers,
            .shares = maps.shares,
            .next_share = maps.control->next_share};
}

std::uint32_t* Counts::word(CountId id) const {
    switch (id.kind) {
    case CountKind::destination:
        return id.index < memory_.destinations.size() ? &memory_.destinations[id.index].in_use
                                                      : nullptr;
    case CountKind::total:
        return id.index < memory_.totals.size() ? &memory_.totals[id.index].in_use : nullptr;
    case CountKind::share:
        break;
    }
    return id.index < memory_.shares.size() ? &memory_.shares[id.index].in_use : nullptr;
}

std::uint32_t Counts::unit_of(std::uint32_t consumer) const {
    return consumer < memory_.consumers.size() ? memory_.consumers[consumer].unit : 0;
}

std::vector<CountId> Counts::held(std::uint32_t word) const {
    const std::uint32_t destination = ballast_held_destination(word);
    if (destination >= memory_.destinations.size())
        return {};
    std::vector<CountId> found{{CountKind::destination, destination}};
    if (const std::uint16_t service = memory_.destinations[destination].service;
        service && service < memory_.totals.size())
        found.push_back({CountKind::total, service});
    if (!(word & BALLAST_HELD_SHARE))
        return found;
    const std::uint32_t unit = unit_of(ballast_held_consumer(word));
    const auto shares = memory_.shares.first(BALLAST_LOAD(memory_.next_share));
    const auto share = std::ranges::find_if(shares, [&](const auto& s) {
        return unit && s.consumer == unit && s.destination == destination;
    });
    if (share != shares.end())
        found.push_back({CountKind::share, static_cast<std::uint32_t>(share - shares.begin())});
    return found;
}

std::vector<CountId> Counts::all(std::uint32_t destinations, std::uint32_t shares) const {
    std::vector<CountId> found;
    const auto add = [&](CountKind kind, std::size_t count) {
        for (std::uint32_t index = 0; index < count; ++index)
            found.push_back({kind, index});
    };
    add(CountKind::destination, std::min<std::size_t>(destinations, memory_.destinations.size()));
    add(CountKind::total, memory_.totals.size());
    add(CountKind::share, std::min<std::size_t>(shares, memory_.shares.size()));
    return found;
}

Counts::Tally Counts::tally(std::span<const ballast_bucket> buckets) const {
    Tally tally;
    std::unordered_map<std::uint32_t, std::vector<CountId>> known; // many hold the same
    for (const auto& bucket : buckets)
        for (const auto& entry : bucket.entries) {
            const std::uint32_t held = BALLAST_LOAD(entry.held) & ~BALLAST_PENDING;
            if (!is_entry(BALLAST_LOAD(entry.cookie)))
                continue;
            auto [at, is_new] = known.try_emplace(held);
            if (is_new)
                at->second = this->held(held);
            for (const CountId id : at->second)
                ++tally[id];
        }
    return tally;
}

std::uint32_t Counts::in_use(CountId id) const {
    const std::uint32_t* count = word(id);
    return count ? BALLAST_LOAD(*count) & ~BALLAST_RETIRED : 0;
}

void Counts::give_back(CountId id) const {
    if (std::uint32_t* count = word(id))
        (void)ballast_give_back(count);
}

void Counts::correct(CountId id, std::int64_t excess) const {
    if (std::uint32_t* count = word(id))
        __atomic_fetch_sub(count, static_cast<std::uint32_t>(excess), __ATOMIC_SEQ_CST);
}

std::uint64_t Counts::destination_activity(std::uint32_t destination) const {
    const auto& d = memory_.destinations[destination];
    return BALLAST_LOAD(d.admitted) + BALLAST_LOAD(d.adopted) +
           (1ULL << 40U) * in_use({CountKind::destination, destination});
}

std::vector<std::uint64_t> Counts::activity_by_service(std::uint32_t destinations) const {
    std::vector<std::uint64_t> sums(memory_.totals.size());
    const auto used = std::min<std::size_t>(destinations, memory_.destinations.size());
    for (std::uint32_t d = 0; d < used; ++d)
        if (const auto service = memory_.destinations[d].service; service < sums.size())
            sums[service] += destination_activity(d);
    return sums;
}

std::uint64_t Counts::activity(CountId id, std::span<const std::uint64_t> by_service) const {
    switch (id.kind) {
    case CountKind::destination:
        return destination_activity(id.index);
    case CountKind::total:
        return id.index < by_service.size() ? by_service[id.index] : 0;
    case CountKind::share:
        break;
    }
    const std::uint32_t destination = memory_.shares[id.index].destination;
    return destination < memory_.destinations.size() ? destination_activity(destination) : 0;
}

} // namespace ballast::kernel
