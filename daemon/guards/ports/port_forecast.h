// SPDX-License-Identifier: Apache-2.0
// How many local ports a tuple will need, from what passes over the kernel's tables counted. Pure.
//
// Model
// M1. A connection that this side closed first keeps its port for `lingers` as a mini-socket
//     (include/net/tcp.h, TCP_TIMEWAIT_LEN). When those there are now end is known, not guessed.
// M2. The rest changes as it did within the last `window`: sockets proper grow by `growth` a
//     second, and `closes` of them a second become mini-sockets.
// M3. So after `lingers` of steady traffic the need is what Little's law says: sockets proper, and
//     closes times `lingers`. What settles below a limit never reaches it.
// M4. connect() tries the ports of the range's first parity first: the knee is where those are
//     gone, the wall where all are.
// M5. A pool that warms up grows fast and stops. Growth of sockets proper is no more than a guess
//     until it has lasted for `warms_up_for`, and where it has slowed down to less than half.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "daemon/model/port_row.h"

namespace ballast::guards {

struct PortForecast {
    double opens_per_s = 0;       ///< at least: what the peer closed within a pass is not seen
    double closes_per_s = 0;      ///< by this side, so that a mini-socket was left
    std::uint32_t settles_at = 0; ///< ports, M3
    std::optional<std::chrono::seconds> to_knee; ///< 0: reached; none: not within `horizon`
    std::optional<std::chrono::seconds> to_wall;
    Confidence confidence = Confidence::low;
};

class PortTrend {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    static constexpr std::chrono::seconds lingers{60};
    static constexpr std::chrono::seconds window{30};
    static constexpr std::chrono::seconds warms_up_for{15};
    /// A rate that was measured for less is a guess, however many passes there were.
    static constexpr std::chrono::seconds shortest{3};
    /// Nothing is foretold beyond it.
    static constexpr std::chrono::minutes horizon{10};

    /// Adds what a pass counted; passes come in their order. One that is partial starts anew.
    /// `since`: the pass before it; where the tuple was not followed yet, it had as many sockets
    /// proper then, as far as is known.
    void add(const TupleCount& count, Monotonic at, std::optional<std::chrono::nanoseconds> since);

    /// What follows from all of them. `first`: the parity that connect() tries first is even.
    [[nodiscard]] PortForecast forecast(const PortsByParity& capacity, bool is_even_first) const;

private:
    struct Sample {
        Monotonic at;
        std::uint32_t proper = 0; ///< sockets that are not mini-sockets
        std::uint32_t ended = 0;  ///< since the sample before
    };
    /// Changes a second, over all samples.
    struct Rates {
        double growth = 0;
        double closes = 0;
        [[nodiscard]] double opens() const { return growth + closes > 0 ? growth + closes : 0; }
    };
    [[nodiscard]] Rates rates() const;
    [[nodiscard]] Confidence confidence(const Rates& rates) const;
    [[nodiscard]] bool is_lasting(const Rates& rates) const;
    [[nodiscard]] double need_after(std::chrono::seconds time, const Rates& rates) const;

    std::deque<Sample> samples_;
    TupleCount last_;
};

} // namespace ballast::guards
