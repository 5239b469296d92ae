// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/consumer_recycler.h"

#include <algorithm>
#include <cstring>

#include <bpf/bpf.h>
#include <sys/stat.h>

#include "bpf/lib/reservation.h"
#include "daemon/kernel/counts.h"

namespace ballast::kernel {

std::uint32_t ConsumerRecycler::ever_used() const {
    return std::min<std::uint32_t>(maps_->control->next_consumer, BALLAST_MAX_CONSUMERS);
}

/// By reservations, by shares, and as the unit of another.
std::vector<bool> ConsumerRecycler::referred_to() const {
    std::vector<bool> used(BALLAST_MAX_CONSUMERS, false);
    for (const auto& bucket : maps_->reservations.all())
        for (const auto& entry : bucket.entries)
            if (const auto by = ballast_held_consumer(BALLAST_LOAD(entry.held));
                is_entry(BALLAST_LOAD(entry.cookie)) && by < used.size())
                used[by] = true;
    const auto shares = std::min<std::uint32_t>(maps_->control->next_share, BALLAST_MAX_SHARES);
    for (const auto& share : maps_->shares.first(shares))
        if (share.consumer < used.size())
            used[share.consumer] = true;
    for (std::uint32_t index = 1; index < ever_used(); ++index)
        if (const auto& consumer = maps_->consumers[index];
            consumer.cgroup && consumer.unit != index && consumer.unit < used.size())
            used[consumer.unit] = true;
    return used;
}

/// A path that was cut cannot be looked up, so its cgroup counts as there.
bool ConsumerRecycler::is_gone(const ballast_consumer& consumer) const {
    const std::size_t length = ::strnlen(consumer.path, BALLAST_CGROUP_PATH);
    if (length >= BALLAST_CGROUP_PATH - 1)
        return false;
    const std::string path = hierarchy_ + std::string(consumer.path, length);
    struct stat status {};
    return ::stat(path.c_str(), &status) != 0 || status.st_ino != consumer.cgroup;
}

Result<void> ConsumerRecycler::offer(std::uint32_t index) {
    maps_->consumers[index] = {};
    if (::bpf_map_update_elem(maps_->free_consumers.get(), nullptr, &index, BPF_ANY))
        return fail(Error::system("offer a recycled consumer", errno));
    return {};
}

Result<std::size_t> ConsumerRecycler::run() {
    if (ever_used() <= 1)
        return 0;
    const std::scoped_lock lock(*maps_->bookkeeping);
    std::vector<std::uint32_t> gone;
    const auto before = referred_to();
    for (std::uint32_t index = 1; index < ever_used(); ++index)
        if (const auto& consumer = maps_->consumers[index];
            consumer.cgroup && !before[index] && is_gone(consumer))
            gone.push_back(index);
    if (gone.empty())
        return 0;
    for (const auto index : gone)
        ::bpf_map_delete_elem(maps_->consumer_index.get(), &maps_->consumers[index].cgroup);
    if (auto waited = policy_->wait_for_programs(); !waited)
        return fail(waited.error().context("recycle consumers"));
    const auto after = referred_to();
    std::size_t freed = 0;
    for (const auto index : gone) {
        if (after[index])
            continue; // without its key it is found again here, once that reference is gone
        if (auto offered = offer(index); !offered)
            return fail(offered.error());
        ++freed;
    }
    return freed;
}

} // namespace ballast::kernel
