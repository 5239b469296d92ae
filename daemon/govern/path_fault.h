// SPDX-License-Identifier: Apache-2.0
// Whether enough paths are dead at once to make this host itself suspect. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>

#include "daemon/model/half_open.h"
#include "daemon/model/policy.h"

namespace ballast::govern {

class PathFault {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// Fewer never make the observer suspect.
    static constexpr std::size_t least = 5;
    /// Paths remembered; with this many dead at once it makes no difference which.
    static constexpr std::size_t most = 16'384;

    /// The least number of `active` destinations that, failing together, make the observer suspect.
    static std::size_t threshold(std::size_t active, const GovernorOptions& options) {
        return std::max(least, active * options.observer_fault_percent / 100 + 1);
    }

    void on_dead(const PeerKey& peer, Monotonic now) {
        if (dead_.size() < most || dead_.contains(peer))
            dead_[peer] = now;
    }

    /// paths: destinations with flows. Lasts until it has been calm for release_after.
    bool is_suspect(std::size_t paths, const GovernorOptions& options, Monotonic now) {
        std::erase_if(dead_, [&](const auto& known) {
            return known.second < now - options.observer_fault_window;
        });
        if (dead_.size() >= threshold(std::max(paths, dead_.size()), options)) {
            last_suspect_ = now;
            is_suspect_ = true;
        } else if (now - last_suspect_ >= options.release_after) {
            is_suspect_ = false;
        }
        return is_suspect_;
    }

private:
    std::map<PeerKey, Monotonic> dead_; ///< when it was last found so
    bool is_suspect_ = false;
    Monotonic last_suspect_;
};

} // namespace ballast::govern
