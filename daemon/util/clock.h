// SPDX-License-Identifier: Apache-2.0
// The one place where the daemon's own parts read the clock; decision code gets the time passed in.
#pragma once

#include <chrono>

namespace ballast {

/// CLOCK_MONOTONIC, the clock of every duration.
inline std::chrono::steady_clock::time_point now() {
    return std::chrono::steady_clock::now();
}

} // namespace ballast
