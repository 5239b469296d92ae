// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/path_book.h"

#include <algorithm>
#include <utility>

namespace ballast::guards {

PathBook::Path& PathBook::path_of(const Endpoint& path, Monotonic now) {
    if (!paths_.contains(path) && paths_.size() >= most_paths)
        forget_oldest();
    Path& found = paths_[path];
    found.used = now;
    found.is_changed = true;
    return found;
}

void PathBook::forget_oldest() {
    const auto oldest =
        std::ranges::min_element(paths_, {}, [](const auto& entry) { return entry.second.used; });
    if (oldest == paths_.end())
        return;
    ++table_full_;
    forgotten_.push_back(oldest->first);
    paths_.erase(oldest);
}

void PathBook::survived(const Endpoint& path, Gap gap, Monotonic now) {
    if (gap >= IdleBound::shortest)
        path_of(path, now).bound.survived(gap, now);
}

void PathBook::died(const Endpoint& path, Gap gap, Monotonic now) {
    if (gap < IdleBound::shortest)
        return;
    path_of(path, now).bound.died(gap, now);
    has_died_ = true;
}

void PathBook::suspend(std::uint64_t cookie, const Endpoint& path, Gap gap, Monotonic now) {
    if (suspended_.size() < most_suspended || suspended_.contains(cookie))
        suspended_.try_emplace(cookie, Suspended{path, gap, now});
    else
        ++table_full_;
}

void PathBook::settle(Monotonic now) {
    std::vector<Suspended> ripe;
    std::erase_if(suspended_, [&](const auto& entry) {
        const bool is_ripe = now - entry.second.since >= patience;
        if (is_ripe)
            ripe.push_back(entry.second);
        return is_ripe;
    });
    for (const auto& one : ripe)
        died(one.path, one.gap, now);
    std::erase_if(paths_, [&](const auto& entry) {
        const auto bracket = entry.second.bound.at(now);
        const bool is_known = bracket.survived || bracket.died || bracket.unsettled;
        if (!is_known)
            forgotten_.push_back(entry.first);
        return !is_known;
    });
}

std::optional<IdleBracket> PathBook::at(const Endpoint& path, Monotonic now) const {
    const auto found = paths_.find(path);
    return found == paths_.end() ? std::nullopt : std::optional(found->second.bound.at(now));
}

void PathBook::recall(const Endpoint& path, const IdleBound& bound, Monotonic now) {
    if (paths_.size() < most_paths)
        paths_.try_emplace(path, Path{bound, now, false});
}

std::vector<PathBook::Change> PathBook::take_changes() {
    std::vector<Change> changes;
    for (auto& [path, known] : paths_)
        if (std::exchange(known.is_changed, false))
            changes.push_back({path, known.bound});
    for (const auto& path : std::exchange(forgotten_, {}))
        if (!paths_.contains(path))
            changes.push_back({path, std::nullopt});
    has_died_ = false;
    return changes;
}

} // namespace ballast::guards
