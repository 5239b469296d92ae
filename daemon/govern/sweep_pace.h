// SPDX-License-Identifier: Apache-2.0
// How often to sweep, and how much at a time: sweeps stay within their share of one core and, where
// the amount can be chosen, take little enough to stay frequent. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace ballast::govern {

/// Sweeps may take 1/sweep_cpu_divisor of one core's time.
inline constexpr int sweep_cpu_divisor = 100;

/// Pause between the starts of two sweeps: `wanted`, or longer when the last one took `last_cpu`.
/// An hour at the most, so that a mistaken clock cannot end sweeping.
inline std::chrono::nanoseconds sweep_interval(std::chrono::nanoseconds wanted,
                                               std::chrono::nanoseconds last_cpu) {
    constexpr std::chrono::nanoseconds longest = std::chrono::hours(1);
    return std::min(std::max(wanted, last_cpu * sweep_cpu_divisor), std::max(wanted, longest));
}

/// CPU time that one sweep may spend on optional work and still run every `wanted`: the rest, a
/// fifth, is for mandatory work.
inline std::chrono::nanoseconds sweep_budget(std::chrono::nanoseconds wanted) {
    return wanted / sweep_cpu_divisor / 5 * 4;
}

/// The same if a caller waits for the sweep's end: deferrable work is left to the next.
inline std::chrono::nanoseconds awaited_sweep_budget(std::chrono::nanoseconds wanted) {
    return sweep_budget(wanted) / 2;
}

} // namespace ballast::govern
