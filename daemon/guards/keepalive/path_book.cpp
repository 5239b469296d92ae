// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/path_book.h"

#include <algorithm>
#include <utility>

#include "daemon/guards/keepalive/shared_bound.h"

namespace ballast::guards {

namespace {

/// Whether `one` was dropped sooner than `other`, or else lived longer.
bool tells_more(const IdleBracket& one, const IdleBracket& other) {
    const auto died = one.died.value_or(IdleBound::longest);
    const auto others = other.died.value_or(IdleBound::longest);
    return died != others ? died < others : one.survived > other.survived;
}

} // namespace

PathBook::Path& PathBook::path_of(const PathKey& path, Monotonic now) {
    auto at = paths_.find(path);
    if (at == paths_.end()) {
        const IdleBound first = beginning(path, now);
        if (paths_.size() >= most_paths)
            forget_oldest();
        at = paths_.emplace(path, Path{first, now}).first;
    }
    at->second.used = now;
    at->second.is_changed = true;
    return at->second;
}

/// In address order, the destinations of a prefix are adjacent.
IdleBound PathBook::beginning(const PathKey& path, Monotonic now) const {
    IdleBound first;
    if (path.prefix.length == LearnPrefixes::most_ipv6)
        return first; // a destination's own
    const PathKey least({path.prefix.address, 0}, 0);
    for (auto at = paths_.lower_bound(least);
         at != paths_.end() && path.prefix.contains(at->first.prefix.address); ++at) {
        const bool is_destination =
            at->first == PathKey(Endpoint{at->first.prefix.address, path.port});
        if (is_destination && tells_more(at->second.bound.at(now), first.at(now)))
            first = at->second.bound;
    }
    return first;
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

template <typename Learn>
void PathBook::learn(const PathPlace& place, Monotonic now, const Learn& shown) {
    if (place.shared) // first, or it would begin with the new evidence
        shown(path_of(*place.shared, now).bound);
    shown(path_of(place.own, now).bound);
}

void PathBook::survived(const PathPlace& place, Gap gap, Monotonic now) {
    if (gap >= IdleBound::shortest)
        learn(place, now, [&](IdleBound& bound) { bound.survived(gap, now); });
}

void PathBook::died(const PathPlace& place, Gap gap, Monotonic now) {
    if (gap < IdleBound::shortest)
        return;
    learn(place, now, [&](IdleBound& bound) { bound.died(gap, now); });
    has_died_ = true;
}

void PathBook::settle(Monotonic now) {
    std::erase_if(paths_, [&](const auto& entry) {
        const auto bracket = entry.second.bound.at(now);
        const bool is_known = bracket.survived || bracket.died || bracket.unsettled;
        if (!is_known)
            forgotten_.push_back(entry.first);
        return !is_known;
    });
}

std::optional<IdleBracket> PathBook::known(const PathKey& path, Monotonic now) const {
    const auto found = paths_.find(path);
    return found == paths_.end() ? std::nullopt : std::optional(found->second.bound.at(now));
}

std::optional<PathBracket> PathBook::at(const PathPlace& place, Monotonic now) const {
    const auto own = known(place.own, now);
    const auto prefix = place.shared ? known(*place.shared, now) : std::nullopt;
    if (!own && !prefix)
        return std::nullopt;
    const auto shared = share(own.value_or(IdleBracket{}), prefix.value_or(IdleBracket{}));
    const auto learned_in = shared.is_shared ? std::optional(place.shared->prefix) : std::nullopt;
    return PathBracket{shared.bracket, learned_in};
}

void PathBook::recall(const PathKey& path, const IdleBound& bound, Monotonic now) {
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
