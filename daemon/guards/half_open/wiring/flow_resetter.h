// SPDX-License-Identifier: Apache-2.0
// Destroys flows found half-open, if their service says so and the governor allows it. Each is
// checked again just before, so that no recovered flow is destroyed. Resets that must wait are
// queued in order, bounded in number and in time.
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
    /// After one path dies, wait this long for others that die with it to be found.
    static constexpr std::chrono::milliseconds settling{1000};
    /// Sockets destroyed in one turn of the loop, so that other work is not delayed.
    static constexpr std::size_t most_a_turn = 64;

    /// The rules for a service's flows now; the mode is what the guard may do at present.
    using GetRules = std::function<HalfOpen(const std::string& service)>;
    using Leave = std::function<govern::Governor::Leave(Monotonic now)>;
    /// The outcome; is_later: the first outcome was that it must wait.
    using Tell =
        std::function<void(const HalfOpenVerdict& verdict, FlowAct act, Mode mode, bool is_later)>;

    /// The arguments must outlive the resetter.
    FlowResetter(FlowFacts& facts, GetRules rules, Leave leave, Tell tell)
        : facts_(facts), rules_(std::move(rules)), leave_(std::move(leave)),
          tell_(std::move(tell)) {}

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
    FlowAct next_act(const Waiting& one, Monotonic now);
    FlowAct try_now(const HalfOpenVerdict& verdict, Monotonic now);
    FlowAct look_again(const HalfOpenVerdict& verdict, Monotonic now);
    FlowAct destroy(const HalfOpenVerdict& verdict);
    FlowAct fail_softly(const Error& error);

    FlowFacts& facts_;
    GetRules rules_;
    Leave leave_;
    Tell tell_;
    std::deque<Waiting> waiting_;
    std::array<std::uint64_t, kFlowActs> counts_{};
    std::size_t destroyed_ = 0; ///< in this turn
    bool is_stopped_ = false;   ///< for this turn, by the governor
};

} // namespace ballast::guards
