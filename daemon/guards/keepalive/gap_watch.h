// SPDX-License-Identifier: Apache-2.0
// Which silences flows survive, as observed by sweeps. Pure; time is passed in.
//
// A flow silent at one look that has received something by a later one survived at least the
// silence of the first look. If one packet came in and at most one went out in between, as with a
// keepalive probe and its answer, the whole silence is known.
//
// Invariants:
//  1. No reported gap exceeds what the flow survived, except by one round trip and by packets lost
//     on the way.
//  2. Time in which a flow had something unanswered in flight is part of no gap.
//  3. Nothing is known of a silence in which the host slept.
//  4. Nothing is remembered of flows that are in use, and at most `most_flows` are.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "daemon/guards/keepalive/idle_bound.h"

namespace ballast::guards {

/// A flow as one sweep saw it.
struct GapLook {
    std::uint64_t cookie = 0;
    std::chrono::milliseconds heard{0}; ///< since anything came in
    std::chrono::milliseconds quiet{0}; ///< since a packet went either way, probes of ours apart
    std::uint32_t packets_in = 0;       ///< in its whole life; wraps
    std::uint32_t packets_out = 0;
    bool is_trying = false; ///< something is still unanswered
};

class GapWatch {
public:
    using Monotonic = IdleBound::Monotonic;
    using Gap = IdleBound::Gap;

    static constexpr std::size_t most_flows = 262'144;
    /// How long a flow that was trying when last met is remembered.
    static constexpr std::chrono::minutes remembered{2};
    /// And one that was not: the report of its end may come after a sweep that no longer meets it.
    static constexpr std::chrono::seconds grace{5};

    /// The silence that the flow has survived by now, if any.
    std::optional<Gap> on_flow(const GapLook& look, Monotonic now);

    /// How long a flow had been silent before it sent what is unanswered; short by at most the time
    /// between two sweeps, never more.
    [[nodiscard]] std::optional<Gap> before_trying(std::uint64_t cookie) const;

    /// Time has passed that no clock of the kernel's shows (clock_steps.h).
    void slept(Monotonic now) { slept_ = now; }

    /// Forgets flows that the sweep, which began at `began`, has not met.
    void end_sweep(Monotonic began);

    [[nodiscard]] std::size_t flows() const { return flows_.size(); }
    /// Flows not watched: too many at a time.
    [[nodiscard]] std::uint64_t table_full() const { return table_full_; }

private:
    struct Flow {
        Monotonic last_packet;
        Gap silence{0}; ///< at the last look before it began to try
        Monotonic met;
        std::uint32_t packets_in = 0;
        std::uint32_t packets_out = 0;
        bool is_trying = false;
    };
    void begin(const GapLook& look, Monotonic now);
    static Gap lived_through(const Flow& flow, const GapLook& look, Monotonic now);

    [[nodiscard]] bool has_slept_since(const Flow& flow) const {
        return slept_ && flow.last_packet <= *slept_;
    }

    std::unordered_map<std::uint64_t, Flow> flows_;
    std::optional<Monotonic> slept_;
    std::uint64_t table_full_ = 0;
};

} // namespace ballast::guards
