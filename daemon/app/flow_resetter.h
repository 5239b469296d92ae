// SPDX-License-Identifier: Apache-2.0
// Destroys flows that were found half-open, where their service says so and the governor lets it:
// each looked at once more just before, so that nothing is hit that lives again. What has to wait
// waits in order, bounded in number and in time.
#pragma once

#include <array>
#include <deque>
#include <functional>

#include "daemon/app/flow_facts.h"
#include "daemon/govern/governor.h"
#include "daemon/model/policy.h"

namespace ballast::app {

class FlowResetter {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// As many as there are suspects at a time.
    static constexpr std::size_t most_waiting = 8192;
    /// What could not be done by then is not done any more.
    static constexpr std::chrono::minutes longest_wait{10};
    /// Where a path is dead, others that die with it have so long to be found.
    static constexpr std::chrono::milliseconds settling{1000};
    /// Sockets destroyed in one turn of the loop, so that nothing else waits for them.
    static constexpr std::size_t most_a_turn = 64;

    /// What holds for a service's flows now; its mode is what the guard may do at present.
    using GetRules = std::function<HalfOpen(const std::string& service)>;
    using Leave = std::function<govern::Governor::Leave(Monotonic now)>;
    /// What became of it; is_later: after the first answer was that it has to wait.
    using Tell =
        std::function<void(const HalfOpenVerdict& verdict, FlowAct act, Mode mode, bool is_later)>;

    /// What is passed has to outlive the resetter.
    FlowResetter(FlowFacts& facts, GetRules rules, Leave leave, Tell tell)
        : facts_(facts), rules_(std::move(rules)), leave_(std::move(leave)),
          tell_(std::move(tell)) {}

    /// Does what can be done now, and tells.
    void on_verdict(const HalfOpenVerdict& verdict, Monotonic now);

    /// Goes on with what waits, where its service still wants it; call it often while
    /// has_waiting().
    void turn(Monotonic now);

    [[nodiscard]] bool has_waiting() const { return !waiting_.empty(); }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    /// Flows by what became of them, those that wait or waited apart.
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

} // namespace ballast::app
