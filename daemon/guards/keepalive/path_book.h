// SPDX-License-Identifier: Apache-2.0
// What is known of the paths to destinations, and which of it is new. Pure; time is passed in.
//
// Evidence from a flow is kept for its destination and for the prefix that shares its path, if any.
// A new prefix begins with what is known of the destination in it that was dropped soonest, or else
// survived longest; one no longer asked for fades like an unused path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "daemon/guards/keepalive/idle_bound.h"
#include "daemon/guards/keepalive/keepalive_choice.h"
#include "daemon/model/path_key.h"

namespace ballast::guards {

struct PathBracket : IdleBracket {
    std::optional<Prefix> learned_in; ///< whose flows showed it; none: the destination's own
};

class PathBook {
public:
    using Monotonic = IdleBound::Monotonic;
    using Gap = IdleBound::Gap;

    static constexpr std::size_t most_paths = 65'536;

    /// A flow to the destination survived a silence.
    void survived(const PathPlace& place, Gap gap, Monotonic now);
    /// One was confirmed dropped in a silence.
    void died(const PathPlace& place, Gap gap, Monotonic now);

    /// Forgets paths with nothing left.
    void settle(Monotonic now);

    /// The join by shared_bound.h of what is known; none if neither is known.
    [[nodiscard]] std::optional<PathBracket> at(const PathPlace& place, Monotonic now) const;

    /// Restores knowledge from before a restart.
    void recall(const PathKey& path, const IdleBound& bound, Monotonic now);
    struct Change {
        PathKey path;
        std::optional<IdleBound> bound; ///< none: forgotten
    };
    /// The paths with new knowledge, or forgotten, since the last call.
    std::vector<Change> take_changes();
    [[nodiscard]] bool has_died_since_taken() const { return has_died_; }

    [[nodiscard]] std::size_t paths() const { return paths_.size(); }
    [[nodiscard]] bool is_empty() const { return paths_.empty(); }
    /// Gaps and drops not kept: too many at a time.
    [[nodiscard]] std::uint64_t table_full() const { return table_full_; }

private:
    struct Path {
        IdleBound bound;
        Monotonic used;
        bool is_changed = false;
    };
    template <typename Learn>
    void learn(const PathPlace& place, Monotonic now, const Learn& shown);
    Path& path_of(const PathKey& path, Monotonic now);
    [[nodiscard]] IdleBound beginning(const PathKey& shared, Monotonic now) const;
    [[nodiscard]] std::optional<IdleBracket> known(const PathKey& path, Monotonic now) const;
    void forget_oldest();

    std::map<PathKey, Path> paths_;
    std::vector<PathKey> forgotten_;
    std::uint64_t table_full_ = 0;
    bool has_died_ = false;
};

} // namespace ballast::guards
