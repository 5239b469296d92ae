// SPDX-License-Identifier: Apache-2.0
// The words by which the daemon and the programs steer each other, without a system call
// (bpf/abi.h, struct ballast_control and ballast_counters).
#pragma once

#include <chrono>
#include <cstdint>

#include "daemon/kernel/maps.h"
#include "daemon/model/counters.h"

namespace ballast::kernel {

class Datapath {
public:
    /// `maps` must outlive it.
    explicit Datapath(const Maps& maps) : maps_(&maps) {}

    /// now: CLOCK_MONOTONIC.
    void beat(std::chrono::steady_clock::time_point now) const;
    /// How old the heartbeat may be before programs only observe; 0: no limit.
    void set_grace(std::chrono::nanoseconds grace) const;

    /// From when on flows are reported as suspect: after a silence of their peer, for the first
    /// `tries` retransmissions. 0: none are.
    /// The host has slept, as found at `now`: flows that were silent are probed.
    void report_sleep(std::chrono::steady_clock::time_point now) const;
    void report_suspects(std::chrono::milliseconds silence, std::uint32_t tries) const;

    /// Puts `wanted` into the word that programs take openings of breakers from, if that is
    /// `expected`; if not, sets `expected` to what it is and returns false.
    bool swap_trip_budget(std::uint32_t& expected, std::uint32_t wanted) const;

    [[nodiscard]] Counters counters() const;

private:
    const Maps* maps_;
};

} // namespace ballast::kernel
