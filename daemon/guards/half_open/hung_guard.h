// SPDX-License-Identifier: Apache-2.0
// Finds flows that stand still though nothing of theirs is lost, from sweeps: the peer acknowledges
// and takes nothing (its window is shut) or answers nothing, or this host itself does not send.
// Pure; time is passed in.
//
// Invariants
// U1. A state seen at two moments proves nothing of the time between: a flow stands still only
// while
//     no further byte of it is acknowledged. A reader that is slow and reads is never found.
// U2. A flow that a sweep did not meet is neither hung nor recovered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "daemon/model/half_open.h"

namespace ballast::guards {

/// Why a flow stands still.
enum class Standstill : std::uint8_t {
    window_shut, ///< the peer gives no window for what is to be sent
    unanswered,  ///< all was acknowledged, and no answer comes
    unsent,      ///< this host does not send
};

/// A flow that a sweep met in such a state.
struct HungLook {
    FlowKey key;
    std::uint32_t netns = 0;
    std::uint32_t mark = 0; ///< SO_MARK
    Direction direction = Direction::outbound;
    std::string service;
    Standstill why = Standstill::window_shut;
    std::chrono::milliseconds silent{0};  ///< since anything was received
    std::chrono::milliseconds waiting{0}; ///< time waited for an answer
    std::chrono::milliseconds limit{0};   ///< response_timeout
    std::uint32_t acked = 0;              ///< bytes in its whole life, the low 32 bits
    std::uint32_t queued = 0;             ///< bytes written and not acknowledged
    bool is_subflow = false;              ///< of an MPTCP connection
};

class HungGuard {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// A window shut for this long, with nothing taken meanwhile, is reported as hung, whether its
    /// probes are answered or not.
    static constexpr std::chrono::seconds shut_for{10};
    /// What this host does not send is tried again every 500 ms or more seldom
    /// (TCP_RESOURCE_PROBE_INTERVAL, include/net/tcp.h): no moment of congestion lasts as long.
    static constexpr std::chrono::milliseconds unsent_for{1500};
    /// Flows followed at a time; more are counted.
    static constexpr std::size_t most_flows = 4096;
    /// A flow that no sweep meets any more is forgotten.
    static constexpr std::chrono::minutes remembered{10};

    void on_look(const HungLook& look, Monotonic now);
    /// A flow that is followed was met and does not stand still.
    void on_moving(std::uint64_t cookie);
    /// It was destroyed, or its socket is gone: no verdict follows.
    void forget(std::uint64_t cookie) { flows_.erase(cookie); }

    /// Flows that this host does not send and that are not reported yet, to be looked at sooner
    /// than the next sweep.
    [[nodiscard]] std::vector<HungLook> unsent() const;

    /// The new verdicts; those of Standstill::unsent are called local_fault.
    std::vector<HalfOpenVerdict> judge(Monotonic now);

    [[nodiscard]] std::size_t flows() const { return flows_.size(); }
    /// Looks not followed: too many at a time.
    [[nodiscard]] std::uint64_t table_full() const { return table_full_; }

private:
    struct Flow {
        HungLook last;
        Monotonic since; ///< the last progress, at the latest
        Monotonic seen;
        bool told = false;
        bool is_moving = false;
    };
    static bool is_hung(const Flow& flow);
    static HalfOpenVerdict verdict(const Flow& flow, HalfOpenKind kind);

    std::unordered_map<std::uint64_t, Flow> flows_; ///< by cookie
    std::uint64_t table_full_ = 0;
};

} // namespace ballast::guards
