// SPDX-License-Identifier: Apache-2.0
// One change of a breaker, as the programs reported it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "daemon/model/snapshot.h"

namespace ballast {

struct BreakerChange {
    std::uint32_t index = 0; ///< of the destination
    Endpoint endpoint;
    std::string service;
    Mode mode = Mode::observe;
    BreakerState from = BreakerState::closed;
    BreakerState to = BreakerState::closed;
    bool withheld = false;
    bool dry_run = false; ///< of the governor
    std::uint32_t level = 0;
    std::chrono::milliseconds lasts{0};              ///< until the new state's deadline
    std::array<std::uint32_t, kFailures> failures{}; ///< in the window, where it opened
    std::uint32_t established = 0;                   ///< connects in the window, likewise
    std::string last_error;
    /// It concerns some consumers only, of which one is this; else everybody.
    bool is_for_some = false;
    std::uint32_t cgroup = 0; ///< inode number; 0: not known
    std::uint32_t netns = 0;  ///< likewise
};

} // namespace ballast
