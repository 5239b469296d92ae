// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/socket_census.h"

#include <algorithm>
#include <utility>

namespace ballast::kernel {

std::vector<std::string> SocketCensus::look(std::span<const NetNamespace> spaces,
                                            const Count& count) {
    std::unordered_map<std::uint32_t, Counted> still;
    std::vector<std::pair<std::uint64_t, const NetNamespace*>> by_age;
    for (const auto& space : spaces) {
        const Counted& known = still[space.inode] = known_[space.inode];
        by_age.emplace_back(known.look, &space);
    }
    known_ = std::move(still);
    std::ranges::stable_sort(by_age, {}, [](const auto& entry) { return entry.first; });
    by_age.resize(std::min(by_age.size(), most));
    ++looks_;
    std::vector<std::string> failures;
    for (const auto& [age, space] : by_age) {
        Counted& known = known_[space->inode];
        const auto counted = count(*space);
        if (!counted)
            failures.push_back(
                counted.error().context(fmt::format("network namespace {}", space->inode)).text());
        known.counts = counted && *counted ? **counted : SocketCounts{};
        known.look = looks_;
    }
    return failures;
}

std::optional<std::uint64_t> SocketCensus::hashed(std::uint32_t netns) const {
    const auto found = known_.find(netns);
    return found != known_.end() && found->second.look == looks_
               ? std::optional(found->second.counts.hashed)
               : std::nullopt;
}

std::uint64_t SocketCensus::time_wait() const {
    std::uint64_t sum = 0;
    for (const auto& [netns, counted] : known_)
        sum += counted.counts.time_wait;
    return sum;
}

} // namespace ballast::kernel
