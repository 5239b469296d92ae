// SPDX-License-Identifier: Apache-2.0
// The daemon's side of half-open flows: takes the programs' suspicions, gets the facts that the
// guards ask for, and records findings. It runs in the observer thread: reading the facts takes
// socket locks.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "daemon/app/flow_facts.h"
#include "daemon/app/flow_resetter.h"
#include "daemon/app/policy_publisher.h"
#include "daemon/app/sweep_runner.h"
#include "daemon/app/witness.h"
#include "daemon/findings/findings.h"
#include "daemon/guards/half_open_digest.h"
#include "daemon/guards/half_open_guard.h"
#include "daemon/guards/hung_guard.h"
#include "daemon/kernel/datapath.h"
#include "daemon/kernel/events.h"
#include "daemon/kernel/failure_report.h"
#include "daemon/kernel/maps.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/util/event_loop.h"
#include "daemon/util/guarded.h"

namespace ballast::app {

class FlowKeeper {
public:
    /// A peer silent for this long makes its flow suspect.
    static constexpr std::chrono::milliseconds suspect_after{1000};
    /// Flows examined per peer.
    static constexpr std::size_t most_flows = 20'000;
    /// Flows waiting for an answer whose facts one sweep looks up.
    static constexpr std::size_t most_waiting = 256;

    /// The keeper's dependencies; all must outlive the keeper.
    struct Parts {
        kernel::Maps& maps;
        const kernel::PolicyMap& services;
        PolicyPublisher& policy;
        SweepRunner& sweeps; ///< must not sweep once the keeper is gone
        Guarded<govern::Governor>& governor;
        findings::Findings& sink;
        int report_program; ///< of kernel::Programs
    };
    static Result<std::unique_ptr<FlowKeeper>> start(EventLoop& loop, const Parts& parts);

    /// Another policy is in force.
    void changed(const PolicyInForce& now);

    /// The listener is called with each verdict, and again, as ended, for a flow that was reset.
    void tell(std::function<void(const HalfOpenVerdict&)> listener) {
        listener_ = std::move(listener);
    }

    /// As of the last turn or sweep. From any thread.
    [[nodiscard]] HalfOpenStatus status() const;

private:
    FlowKeeper(const Parts& parts, std::unique_ptr<FlowFacts> facts);
    void turn();
    void look_at_peers();
    void look_at(const PeerKey& peer);
    void look_at_missing(const PeerKey& peer, const FlowList& list);
    void ask_witnesses();
    void on_suspicion(const kernel::Suspected& suspected);
    Result<void> listen(EventLoop& loop);
    void on_sweep(std::span<const SweptFlow> flows);
    void end_sweep();
    void on_flow(const SweptFlow& flow);
    void on_probing(const SweptFlow& flow);
    void suspect(Suspicion suspicion, std::uint16_t service);
    std::optional<std::chrono::milliseconds> waiting_for(const SweptFlow& flow);
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
    void count_paths();
    [[nodiscard]] bool is_busy() const;

    kernel::Datapath datapath_;
    int suspicions_map_;
    const kernel::PolicyMap& services_;
    const SweepRunner& sweeps_;
    Guarded<govern::Governor>& governor_;
    findings::Findings& findings_;
    kernel::FailureReport report_;
    PolicyPublisher& policy_;
    std::function<void(const HalfOpenVerdict&)> listener_;
    std::unique_ptr<FlowFacts> facts_;
    FlowResetter resetter_;
    Witness witness_{"/proc"};
    guards::HalfOpenGuard guard_;
    guards::HungGuard hung_;
    guards::HalfOpenDigest digest_;
    bool wants_answers_ = false; ///< some service has a response_timeout
    std::chrono::steady_clock::time_point sweep_began_;
    std::size_t looked_up_ = 0; ///< facts, in this sweep
    HalfOpenStatus counted_;    ///< what no guard counts
    Guarded<HalfOpenStatus> published_;
    std::unique_ptr<kernel::Suspicions> suspicions_;
    EventSource readable_;
    EventSource timer_;
};

} // namespace ballast::app
