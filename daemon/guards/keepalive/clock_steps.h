// SPDX-License-Identifier: Apache-2.0
// Whether the host has slept: suspended, or a virtual machine that was paused. Real time passes
// then and a firewall forgets flows, while the monotonic clock and the kernel's jiffies, by which
// silences are measured, stand still. Pure; times are passed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace ballast::guards {

/// The clocks at one moment.
struct ClockReading {
    std::chrono::nanoseconds monotonic{0};
    std::chrono::nanoseconds boottime{0}; ///< goes on while the host is suspended
    std::chrono::nanoseconds realtime{0}; ///< the only one to show a pause, once it is corrected
};

class ClockSteps {
public:
    /// Corrections of less than this are ordinary, and too short for a path to forget a flow.
    static constexpr std::chrono::seconds tolerated{5};

    /// How much further another clock has gone since the last reading; none if not further than
    /// tolerated. A step backwards of real time shows nothing.
    std::optional<std::chrono::nanoseconds> look(const ClockReading& now) {
        const ClockReading before = last_.value_or(now);
        last_ = now;
        const auto passed = now.monotonic - before.monotonic;
        const auto other = std::max(now.boottime - before.boottime, now.realtime - before.realtime);
        return other - passed > tolerated ? std::optional(other - passed) : std::nullopt;
    }

private:
    std::optional<ClockReading> last_;
};

} // namespace ballast::guards
