// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/recycler.h"

#include <algorithm>
#include <cstring>

#include <bpf/bpf.h>

#include "bpf/lib/atomic.h"

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
    const auto all = maps_->destinations.all().first(ever_used());
    return static_cast<std::uint32_t>(
        std::ranges::count_if(all, [](const auto& d) { return d.service != 0; }));
}

Result<std::size_t> Recycler::resume() {
    std::vector<std::uint32_t> retired;
    for (std::uint32_t index = 0; index < ever_used(); ++index)
        if (maps_->destinations[index].in_use & BALLAST_RETIRED)
            retired.push_back(index);
    return free(retired);
}

Result<std::size_t> Recycler::run(std::chrono::nanoseconds now, std::chrono::nanoseconds ttl) {
    const bool hurry = used() > hurry_above * BALLAST_MAX_DESTINATIONS;
    const auto usual = hurry ? std::min<std::chrono::nanoseconds>(ttl, hurried_ttl) : ttl;
    std::vector<std::uint32_t> retired;
    for (std::uint32_t index = 0; index < ever_used() && retired.size() < batch; ++index) {
        auto& destination = maps_->destinations[index];
        if (!destination.service || BALLAST_LOAD(destination.in_use))
            continue;
        const bool orphan = policy_->limit(destination.service) == nullptr;
        const auto wanted = orphan ? std::min<std::chrono::nanoseconds>(usual, hurried_ttl) : usual;
        const std::chrono::nanoseconds last(BALLAST_LOAD(destination.last_use_ns));
        if (now - last >= wanted && ballast_swap_if_u32(&destination.in_use, 0, BALLAST_RETIRED))
            retired.push_back(index);
    }
    return free(retired);
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
    if (auto waited = policy_->wait_for_programs(); !waited)
        return fail(waited.error().context("recycle destinations"));
    for (const auto index : retired) {
        maps_->destinations[index] = {};
        if (::bpf_map_update_elem(maps_->free_destinations.get(), nullptr, &index, BPF_ANY))
            return fail(Error::system("offer a recycled destination", errno));
    }
    return retired.size();
}

} // namespace ballast::kernel
