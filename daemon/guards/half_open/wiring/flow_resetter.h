// SPDX-License-Identifier: Apache-2.0
// Destroys flows found half-open, if their service names their kind and the governor allows it.
// Each is checked again just before, so that no recovered flow is destroyed. Resets that must wait
// are queued in order, bounded in number and in time.
//
// Invariants
// X1. A flow of a dead path is given path_down_after, and as long as its own RTT asks for, before
//     it is reset; it leaves the queue when its destination is heard of, by whichever flow.
// X2. What is proven dead at a living destination waits for no other.
#pragma once

#include <array>
#include <deque>
#include <functional>

#include "daemon/govern/governor.h"
#include "daemon/guards/half_open/wiring/flow_facts.h"
#include "daemon/model/policy.h"

namespace ballast::guards {

class FlowResetter {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// As many as there are suspects at a time.
    static constexpr std::size_t most_waiting = 8192;
    /// Queued resets older than this are dropped.
    static constexpr std::chrono::minutes longest_wait{10};
    /// Round trips, as measured before the silence, in which a path may come back at least.
    static constexpr int patient_round_trips = 20;
    /// The destination of a dead path may have been heard of this shortly before the verdict.
    static constexpr std::chrono::milliseconds margin{25};
    /// Sockets destroyed in one turn of the loop, so that other work is not delayed.
    static constexpr std::size_t most_a_turn = 64;

    /// The rules for a service's flows now; the mode is what the guard may do at present.
    using GetRules = std::function<HalfOpen(const std::string& service)>;
    using Leave =
        std::function<govern::Governor::Leave(govern::Governor::Proof proof, Monotonic now)>;
    /// When a destination was last heard of; none: not since its flows are followed.
    using Heard = std::function<std::optional<Monotonic>(const PeerKey& peer)>;
    /// The outcome; is_later: the first outcome was that it must wait.
    using Tell =
        std::function<void(const HalfOpenVerdict& verdict, FlowAct act, Mode mode, bool is_later)>;

    /// The arguments must outlive the resetter.
    FlowResetter(FlowFacts& facts, GetRules rules, Leave leave, Heard heard, Tell tell)
        : facts_(facts), rules_(std::move(rules)), leave_(std::move(leave)),
          heard_(std::move(heard)), tell_(std::move(tell)) {}

    /// Does what can be done now, and reports the outcome.
    void on_verdict(const HalfOpenVerdict& verdict, Monotonic now);

    /// Continues with queued flows, if their service still wants it; call it often while
    /// has_waiting().
    void turn(Monotonic now);

    [[nodiscard]] bool has_waiting() const { return !waiting_.empty(); }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    /// Flows by outcome; those that wait or waited are counted apart.
    [[nodiscard]] const std::array<std::uint64_t, kFlowActs>& counts() const { return counts_; }

private:
    struct Waiting {
        HalfOpenVerdict verdict;
        Monotonic since;
        Monotonic not_before;
    };

    FlowAct first_act(const HalfOpenVerdict& verdict, const HalfOpen& rules, Monotonic now);
    FlowAct first_try(const HalfOpenVerdict& verdict, Monotonic now);
    FlowAct next_act(const Waiting& one, Monotonic now);
    [[nodiscard]] bool has_answered(const Waiting& one) const;
    FlowAct try_now(const HalfOpenVerdict& verdict, Monotonic now);
    FlowAct look_again(const HalfOpenVerdict& verdict, Monotonic now);
    FlowAct destroy(const HalfOpenVerdict& verdict);
    FlowAct fail_softly(const Error& error);

    FlowFacts& facts_;
    GetRules rules_;
    Leave leave_;
    Heard heard_;
    Tell tell_;
    std::deque<Waiting> waiting_;
    std::array<std::uint64_t, kFlowActs> counts_{};
    std::size_t destroyed_ = 0;          ///< in this turn
    FlowAct stopped_by_ = FlowAct::none; ///< for this turn: what the governor said; none: go on
};

} // namespace ballast::guards
