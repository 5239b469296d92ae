// SPDX-License-Identifier: Apache-2.0
// Whether a flow that is probed after a silence is still known to the path. Pure; time is passed
// in.
//
// An answer says yes at once. A missing one may be loss, or the destination may be down, so:
//  1. First comes a volley of probes, so close together that one of them measures the gap as well
//     as all. Losing fewer than all of them in a row does no harm.
//  2. When the volley stays unanswered, a new connection, the witness, has to be accepted. Two more
//     probes after that have to stay unanswered as well, so that an outage that has ended is not
//     taken for a drop.
//  3. A reset needs a witness too, for a destination that restarts answers like that.
#pragma once

#include <chrono>
#include <optional>

namespace ballast::discovery {

class ProbeJudge {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Wait = std::chrono::milliseconds;

    static constexpr int volley = 4;
    static constexpr Wait volley_spacing{10};
    static constexpr int after_witness = 2;

    enum class Step {
        wait,    ///< until next(), or for a witness
        send,    ///< another probe, now
        dropped, ///< the path has forgotten the flow
        reset,   ///< somebody on the path, or the destination, knows nothing of the flow
    };

    /// The first probe is sent at `now`.
    ProbeJudge(Wait answer_wait, Time now) : answer_wait_(answer_wait), last_(now) {}

    void reset() { reset_ = true; }
    /// A connection that was begun after wants_witness() was accepted.
    void witness() { witnessed_ = true; }

    /// The next step at `now`. After `send`, the probe counts as sent.
    Step step(Time now);

    [[nodiscard]] bool wants_witness(Time now) const;
    /// When step() or wants_witness() will change; nothing while a witness is waited for.
    [[nodiscard]] std::optional<Time> next(Time now) const;
    /// Whether what was sent so far belongs to the volley.
    [[nodiscard]] bool in_volley() const { return sent_ <= volley; }
    /// Whether the volley went unanswered.
    [[nodiscard]] bool unanswered(Time now) const;

private:
    Wait answer_wait_;
    Time last_;
    int sent_ = 1;
    int sent_after_witness_ = 0;
    bool witnessed_ = false;
    bool reset_ = false;
};

} // namespace ballast::discovery
