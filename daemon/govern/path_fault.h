// SPDX-License-Identifier: Apache-2.0
// Whether enough paths are dead at once to make this host itself suspect. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>

#include "daemon/model/half_open.h"
#include "daemon/model/policy.h"

namespace ballast::govern {

class PathFault {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// Fewer never make the observer suspect, unless they are all there are.
    static constexpr std::size_t least = 5;
    /// All there are, if no fewer than these: a single destination may well be down.
    static constexpr std::size_t least_all = 2;
    /// Paths remembered; with this many dead at once it makes no difference which.
    static constexpr std::size_t most = 16'384;

    /// The least number of `active` destinations that, failing together, make the observer suspect.
    static std::size_t threshold(std::size_t active, const GovernorOptions& options) {
        return std::max(least, active * options.observer_fault_percent / 100 + 1);
    }

    /// It is dead until something is heard of it, however long that takes.
    void on_dead(const PeerKey& peer) {
        if (dead_.size() < most || dead_.contains(peer))
            dead_[peer] = std::nullopt;
    }
    /// It has no flows left by which anything could be heard: it counts until the window has
    /// passed.
    void on_left(const PeerKey& peer, Monotonic now) {
        if (const auto at = dead_.find(peer); at != dead_.end())
            at->second = now;
    }
    void on_live(const PeerKey& peer) { dead_.erase(peer); }
    [[nodiscard]] std::size_t dead() const { return dead_.size(); }

    /// paths: destinations with flows in use. Lasts until it has been calm for release_after.
    bool is_suspect(std::size_t paths, const GovernorOptions& options, Monotonic now) {
        std::erase_if(dead_, [&](const auto& known) {
            return known.second && *known.second < now - options.observer_fault_window;
        });
        const bool are_all = dead_.size() >= least_all && dead_.size() >= paths;
        if (are_all || dead_.size() >= threshold(std::max(paths, dead_.size()), options)) {
            last_suspect_ = now;
            is_suspect_ = true;
        } else if (now - last_suspect_ >= options.release_after) {
            is_suspect_ = false;
        }
        return is_suspect_;
    }

private:
    std::map<PeerKey, std::optional<Monotonic>> dead_; ///< since when it has no flows left
    bool is_suspect_ = false;
    Monotonic last_suspect_;
};

} // namespace ballast::govern
