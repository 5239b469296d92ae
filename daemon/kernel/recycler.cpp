// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/recycler.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include <bpf/bpf.h>

#include "bpf/lib/atomic.h"
#include "bpf/lib/breaker.h"
#include "bpf/lib/fair.h"

namespace ballast::kernel {

namespace {

ballast_destination_key key_of(const ballast_destination& destination) {
    ballast_destination_key key{};
    std::memcpy(key.address, destination.address, sizeof(key.address));
    key.port = destination.port;
    key.service = destination.service;
    return key;
}

} // namespace

std::uint32_t Recycler::ever_used() const {
    return std::min<std::uint32_t>(maps_->control->next_destination, BALLAST_MAX_DESTINATIONS);
}

std::uint32_t Recycler::used() const {
    const auto all = maps_->destinations.first(ever_used());
    return static_cast<std::uint32_t>(
        std::ranges::count_if(all, [](const auto& d) { return d.service != 0; }));
}

Result<std::size_t> Recycler::resume() {
    const std::scoped_lock lock(*maps_->bookkeeping);
    std::vector<std::uint32_t> retired;
    for (std::uint32_t index = 0; index < ever_used(); ++index)
        if (maps_->destinations[index].in_use & BALLAST_RETIRED)
            retired.push_back(index);
    return free(retired);
}

/// A destination with a forced breaker is kept, so that a person's decision is not lost.
bool Recycler::is_forced(const ballast_destination& destination) const {
    const std::uint32_t breaker = BALLAST_LOAD(destination.breaker);
    return breaker && BALLAST_LOAD(maps_->breakers[breaker].forced) != BALLAST_FORCE_NONE;
}

/// In a hurry, the idle ones of who made most of the table, the oldest first.
Recycler::Indexes Recycler::choose(std::chrono::nanoseconds now, std::chrono::nanoseconds ttl,
                                   bool hurry) {
    const auto& made = maps_->makers->destinations;
    const auto most = std::max_element(std::begin(made) + 1, std::end(made)) - std::begin(made);
    Indexes over;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> idle; // of the one with most rows
    for (std::uint32_t index = 0; index < ever_used(); ++index) {
        const auto& destination = maps_->destinations[index];
        if (!destination.service || BALLAST_LOAD(destination.in_use) || is_forced(destination))
            continue;
        const bool orphan = policy_->limit(destination.service) == nullptr;
        const auto wanted = orphan ? std::min<std::chrono::nanoseconds>(ttl, hurried_ttl) : ttl;
        const std::chrono::nanoseconds last(BALLAST_LOAD(destination.last_use_ns));
        if (now - last >= wanted)
            over.push_back(index);
        else if (hurry && destination.maker == most && now - last >= hurried_ttl)
            idle.emplace_back(BALLAST_LOAD(destination.last_use_ns), index);
    }
    const std::size_t limit = hurry ? hurried_batch : batch;
    const std::size_t more = std::min(idle.size(), limit - std::min(limit, over.size()));
    std::ranges::partial_sort(idle, idle.begin() + static_cast<std::ptrdiff_t>(more));
    for (std::size_t i = 0; i < more; ++i)
        over.push_back(idle[i].second);
    over.resize(std::min(over.size(), limit));
    return over;
}

Result<std::size_t> Recycler::run(std::chrono::nanoseconds now, std::chrono::nanoseconds ttl) {
    const std::scoped_lock lock(*maps_->bookkeeping);
    const bool hurry = used() > hurry_above * BALLAST_MAX_DESTINATIONS;
    Indexes retired;
    for (const auto index : choose(now, ttl, hurry))
        if (ballast_swap_if_u32(&maps_->destinations[index].in_use, 0, BALLAST_RETIRED))
            retired.push_back(index);
    if (auto freed = free_breakers(now, ttl); !freed)
        return fail(freed.error());
    return free(retired);
}

/// Closed, unforced, and nothing was counted for `ttl`, or hurried_ttl where the table fills up.
Recycler::Indexes Recycler::quiet_breakers(std::chrono::nanoseconds now,
                                           std::chrono::nanoseconds ttl) const {
    const bool hurry = maps_->makers->breakers[0] > hurry_above * BALLAST_MAX_BREAKERS;
    const auto wanted = hurry ? std::min<std::chrono::nanoseconds>(ttl, hurried_ttl) : ttl;
    const auto used = std::min<std::uint32_t>(maps_->control->next_breaker, BALLAST_MAX_BREAKERS);
    Indexes quiet;
    for (std::uint32_t index = 1; index < used && quiet.size() < batch; ++index) {
        const ballast_breaker& breaker = maps_->breakers[index];
        if (!breaker.in_use || !ballast_breaker_is_closed_for_good(&breaker))
            continue;
        const std::uint64_t failed = std::uint64_t{BALLAST_LOAD(breaker.last_failure)}
                                     << BALLAST_PARTY_SHIFT;
        if (now - std::chrono::milliseconds(failed) >= wanted)
            quiet.push_back(index);
    }
    return quiet;
}

Result<void> Recycler::free_breakers(std::chrono::nanoseconds now, std::chrono::nanoseconds ttl) {
    Indexes freed;
    for (const auto index : quiet_breakers(now, ttl)) {
        auto& owner = maps_->destinations[maps_->breakers[index].destination];
        if (ballast_swap_if_u32(&owner.breaker, index, 0))
            freed.push_back(index);
    }
    if (freed.empty())
        return {};
    if (auto waited = policy_->wait_for_programs(); !waited)
        return fail(waited.error().context("recycle breakers"));
    for (const auto index : freed) {
        __atomic_store_n(&maps_->destinations[maps_->breakers[index].destination].ask, 0U,
                         __ATOMIC_SEQ_CST);
        if (!free_breaker(index))
            return fail(Error::system("offer a recycled breaker", errno));
    }
    return {};
}

Result<std::size_t> Recycler::free(const std::vector<std::uint32_t>& retired) {
    if (retired.empty())
        return 0;
    for (const auto index : retired) {
        const auto key = key_of(maps_->destinations[index]);
        std::uint32_t owner = 0;
        // The key may name another index by now if this one was half recycled before.
        if (::bpf_map_lookup_elem(maps_->destination_index.get(), &key, &owner) == 0 &&
            owner == index)
            ::bpf_map_delete_elem(maps_->destination_index.get(), &key);
    }
    forget_shares(retired);
    if (auto waited = policy_->wait_for_programs(); !waited)
        return fail(waited.error().context("recycle destinations"));
    for (const auto index : retired) {
        const std::uint32_t breaker = maps_->destinations[index].breaker;
        ballast_fair_give(maps_->makers->destinations, maps_->destinations[index].maker);
        maps_->destinations[index] = {};
        if (breaker && !free_breaker(breaker))
            return fail(Error::system("offer a recycled breaker", errno));
        if (::bpf_map_update_elem(maps_->free_destinations.get(), nullptr, &index, BPF_ANY))
            return fail(Error::system("offer a recycled destination", errno));
    }
    return free_shares() ? Result<std::size_t>(retired.size())
                         : fail(Error::system("offer a recycled share", errno));
}

bool Recycler::free_breaker(std::uint32_t index) {
    ballast_fair_give(maps_->makers->breakers, maps_->breakers[index].maker);
    maps_->breakers[index] = {};
    return ::bpf_map_update_elem(maps_->free_breakers.get(), nullptr, &index, BPF_ANY) == 0;
}

/// Takes the shares of retired destinations, in which nobody can have a place, out of reach.
void Recycler::forget_shares(const std::vector<std::uint32_t>& retired) {
    const std::unordered_set<std::uint32_t> gone(retired.begin(), retired.end());
    const auto used = std::min<std::uint32_t>(maps_->control->next_share, BALLAST_MAX_SHARES);
    forgotten_.clear();
    for (std::uint32_t index = 0; index < used; ++index) {
        const ballast_share& share = maps_->shares[index];
        if (!share.consumer || !gone.contains(share.destination))
            continue;
        const ballast_share_key key{share.destination, share.consumer};
        ::bpf_map_delete_elem(maps_->share_index.get(), &key);
        forgotten_.push_back(index);
    }
}

/// Called once no program can hold one of them.
bool Recycler::free_shares() {
    for (const auto index : forgotten_) {
        maps_->shares[index] = {};
        if (::bpf_map_update_elem(maps_->free_shares.get(), nullptr, &index, BPF_ANY))
            return false;
    }
    forgotten_.clear();
    return true;
}

} // namespace ballast::kernel
