// SPDX-License-Identifier: Apache-2.0
// A path that forgets idle flows: how long it tolerates silence, what it loses, how often its flows
// are used. All times in milliseconds from the beginning, when keepalive is switched on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ballast::sim {

using Ms = std::int64_t;

inline constexpr Ms kSecond = 1000;
inline constexpr Ms kMinute = 60 * kSecond;
inline constexpr Ms kHour = 60 * kMinute;
inline constexpr Ms kDay = 24 * kHour;
/// Later than any simulation lasts.
inline constexpr Ms kNever = 365 * kDay * 500;

/// Idle timeouts from `least` to `most`, one for each flow; both 0: no timeout.
struct Timeouts {
    Ms least = 0;
    Ms most = 0;
};

struct Path {
    std::string name;
    Timeouts timeouts = {};
    Ms mean_gap = 0;        ///< between two exchanges of a flow; exponentially distributed
    double loss = 0;        ///< of a packet, in each direction
    double false_drops = 0; ///< exchanges after which a drop is reported that was none
    int changes_on = 0;     ///< day at whose beginning `later` comes into force; 0: never
    Timeouts later = {};
    int restarts_on = 0; ///< day at whose beginning all flows are forgotten; 0: never

    /// How long a flow may be silent after a packet at `now`. `place`, in [0, 1), is the flow's
    /// own. Some centuries where there is no timeout.
    [[nodiscard]] Ms timeout(double place, Ms now) const;
};

/// The paths of the table.
const std::vector<Path>& paths();

} // namespace ballast::sim
