// SPDX-License-Identifier: Apache-2.0
// The one place where the daemon's own parts read the clock; decision code gets the time passed in.
#pragma once

#include <chrono>
#include <ctime>

namespace ballast {

/// CLOCK_MONOTONIC, the clock of every duration.
inline std::chrono::steady_clock::time_point now() {
    return std::chrono::steady_clock::now();
}

/// Processor time that the calling thread has used.
inline std::chrono::nanoseconds thread_cpu() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

} // namespace ballast
