// SPDX-License-Identifier: Apache-2.0
// Finds peers that acknowledge and yet are hung, from sweeps of their flows: no window for queued
// data, or no answer to acknowledged data. Pure; time is passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "daemon/model/half_open.h"

namespace ballast::guards {

/// A flow that a sweep met in such a state.
struct HungLook {
    FlowKey key;
    std::uint32_t netns = 0;
    Direction direction = Direction::outbound;
    std::string service;
    std::chrono::milliseconds silent{0};  ///< since anything was received
    bool is_window_shut = false;          ///< else it waits for an answer
    std::chrono::milliseconds waiting{0}; ///< time waited for an answer
    std::chrono::milliseconds limit{0};   ///< response_timeout
};

class HungGuard {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// A window shut for this long counts as hung, whether its probes are answered or not.
    static constexpr std::chrono::seconds shut_for{10};
    /// Flows followed at a time; more are counted.
    static constexpr std::size_t most_flows = 4096;

    void on_look(const HungLook& look, Monotonic now);

    /// A sweep that began at `began` is over: flows that it did not meet are no longer hung.
    /// Returns the new verdicts.
    std::vector<HalfOpenVerdict> end_sweep(Monotonic began);

    [[nodiscard]] std::size_t flows() const { return flows_.size(); }
    /// Looks not followed: too many at a time.
    [[nodiscard]] std::uint64_t table_full() const { return table_full_; }

private:
    struct Flow {
        HungLook last;
        Monotonic since;
        Monotonic seen;
        bool told = false;
    };
    static bool is_hung(const Flow& flow);
    static HalfOpenVerdict verdict(const Flow& flow, HalfOpenKind kind);

    std::unordered_map<std::uint64_t, Flow> flows_; ///< by cookie
    std::uint64_t table_full_ = 0;
};

} // namespace ballast::guards
