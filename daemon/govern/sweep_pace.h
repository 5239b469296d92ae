// SPDX-License-Identifier: Apache-2.0
// How often to sweep, and how much at a time: never so often that sweeps take more than their share
// of one core, and where that can be chosen, so little that they need not be seldom. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace ballast::govern {

/// Sweeps may take one part in so many of one core's time.
inline constexpr int sweep_cpu_divisor = 100;

/// Pause between the starts of two sweeps: `wanted`, or longer when the last one took `last_cpu`.
/// An hour at the most, so that a mistaken clock cannot end sweeping.
inline std::chrono::nanoseconds sweep_interval(std::chrono::nanoseconds wanted,
                                               std::chrono::nanoseconds last_cpu) {
    constexpr std::chrono::nanoseconds longest = std::chrono::hours(1);
    return std::min(std::max(wanted, last_cpu * sweep_cpu_divisor), std::max(wanted, longest));
}

/// CPU time that one sweep may choose to take and still be made every `wanted`: the rest, a fifth,
/// is for what it cannot choose.
inline std::chrono::nanoseconds sweep_budget(std::chrono::nanoseconds wanted) {
    return wanted / sweep_cpu_divisor / 5 * 4;
}

/// The same where somebody waits for the sweep's end: what can wait is left to the next.
inline std::chrono::nanoseconds awaited_sweep_budget(std::chrono::nanoseconds wanted) {
    return sweep_budget(wanted) / 2;
}

} // namespace ballast::govern
