// SPDX-License-Identifier: Apache-2.0
// The daemon's side of half-open flows: takes the programs' suspicions, gets the facts that the
// guards ask for, and records findings. It runs in the observer thread: reading the facts takes
// socket locks.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "daemon/findings/findings.h"
#include "daemon/guards/guard_set.h"
#include "daemon/guards/half_open/half_open_digest.h"
#include "daemon/guards/half_open/half_open_guard.h"
#include "daemon/guards/half_open/hung_guard.h"
#include "daemon/guards/half_open/wiring/flow_facts.h"
#include "daemon/guards/half_open/wiring/flow_resetter.h"
#include "daemon/guards/half_open/wiring/witness.h"
#include "daemon/kernel/datapath.h"
#include "daemon/kernel/events.h"
#include "daemon/kernel/failure_report.h"
#include "daemon/kernel/maps.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/util/event_loop.h"
#include "daemon/util/guarded.h"

namespace ballast::guards {

class FlowKeeper final : public Guard {
public:
    /// A peer silent for this long makes its flow suspect.
    static constexpr std::chrono::milliseconds suspect_after{1000};
    /// Flows examined per peer.
    static constexpr std::size_t most_flows = 20'000;
    /// Between two looks at flows that this host does not send.
    static constexpr std::chrono::milliseconds unsent_pause{500};
    /// Flows waiting for an answer whose facts one sweep looks up.
    static constexpr std::size_t most_waiting = 256;

    static Result<std::unique_ptr<Guard>> make(const Surroundings& around);

    void changed(const PolicyInForce& now) override;
    void observe(std::span<const SweptFlow> flows) override;
    void end_sweep(const SweepSummary& summary) override;
    /// As of the last turn or sweep.
    void report(DaemonStatus& status) const override;

private:
    FlowKeeper(const Surroundings& around, std::unique_ptr<FlowFacts> facts);
    void turn();
    void look_at_peers();
    void look_at(const PeerKey& peer);
    void look_at_missing(const PeerKey& peer, const FlowList& list);
    void ask_witnesses();
    void on_suspicion(const kernel::Suspected& suspected);
    Result<void> listen(EventLoop& loop);
    void on_probing(const SweptFlow& flow);
    void suspect(Suspicion suspicion, std::uint16_t service);
    std::optional<std::chrono::milliseconds> waiting_for(const SweptFlow& flow);
    [[nodiscard]] std::optional<Standstill> standstill_of(const SweptFlow& flow) const;
    bool look_at_standstill(const SweptFlow& flow, Standstill why);
    static bool is_still_unsent(const DiagSocket& socket);
    void look_at_unsent();
    void judge_standstill();
    void name_local_fault(HalfOpenVerdict& verdict);
    void on_act(const HalfOpenVerdict& verdict, FlowAct act, Mode mode, bool is_later);
    void tell_hold(const govern::Governor::PathHold& hold);
    void on_dead_path(const PeerKey& peer);
    void follow_dead_paths();
    void tell_ended(HalfOpenVerdict verdict);
    void tell();
    void publish();
    void plan(std::chrono::nanoseconds cost);
    void fail_softly(const Error& error);
    [[nodiscard]] std::string service_at(std::uint16_t id, const Endpoint& remote,
                                         Direction direction) const;
    [[nodiscard]] HalfOpen rules_of(const std::string& service) const; ///< with the mode now
    void add(HalfOpenVerdict verdict);
    void name_owner(HalfOpenVerdict& verdict);
    void feed_breaker(const HalfOpenVerdict& verdict);
    void count_paths(std::span<const PeerRow> peers);
    [[nodiscard]] bool is_busy() const;

    kernel::Datapath datapath_;
    int suspicions_map_;
    const kernel::PolicyMap& services_;
    Guarded<govern::Governor>& governor_;
    findings::Findings& findings_;
    kernel::FailureReport report_;
    policy::PolicyPublisher& policy_;
    GuardSet& neighbours_; ///< they hear of each verdict, and again of a flow that was reset
    std::unique_ptr<FlowFacts> facts_;
    FlowResetter resetter_;
    Witness witness_{"/proc"};
    guards::HalfOpenGuard guard_;
    guards::HungGuard hung_;
    guards::HalfOpenDigest digest_;
    bool wants_answers_ = false; ///< some service has a response_timeout
    std::chrono::steady_clock::time_point unsent_looked_;
    std::map<PeerKey, std::chrono::steady_clock::time_point> dead_paths_; ///< since when
    bool is_holding_ = false;   ///< resets, since most paths are dead
    std::size_t looked_up_ = 0; ///< facts, in this sweep
    HalfOpenStatus counted_;    ///< what no guard counts
    Guarded<HalfOpenStatus> published_;
    std::unique_ptr<kernel::Suspicions> suspicions_;
    EventSource readable_;
    EventSource timer_;
};

} // namespace ballast::guards
