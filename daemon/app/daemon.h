// SPDX-License-Identifier: Apache-2.0
// ballastd itself: loads the programs, keeps the policy, sweeps, answers the API, and leaves
// everything pinned however it exits.
#pragma once

#include <memory>

#include "daemon/api/backend.h"
#include "daemon/api/server.h"
#include "daemon/app/breaker_keeper.h"
#include "daemon/app/hook_keeper.h"
#include "daemon/app/name_keeper.h"
#include "daemon/app/observer.h"
#include "daemon/app/options.h"
#include "daemon/app/policy_keeper.h"
#include "daemon/app/policy_publisher.h"
#include "daemon/app/policy_watch.h"
#include "daemon/findings/findings.h"
#include "daemon/guards/limit_guard.h"
#include "daemon/kernel/datapath.h"
#include "daemon/kernel/destination_table.h"
#include "daemon/kernel/pending_reservations.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/kernel/programs.h"
#include "daemon/kernel/recycler.h"
#include "daemon/util/event_loop.h"

namespace ballast::app {

class Daemon final : public api::Backend, public PolicyReader {
public:
    /// Does everything that can fail before attaching anything, so that a daemon that cannot start
    /// changes nothing on the host.
    static Result<std::unique_ptr<Daemon>> start(const Options& options);

    /// Serves until SIGTERM, SIGINT or `ballast unload`; returns the exit code. Does not return if
    /// a held thread could not be ended: the process exits from here.
    Result<int> run();

    DaemonStatus status() override;
    std::vector<DestinationRow> destinations() override;
    std::vector<PeerRow> peers() override;
    FlowTable flows() override;
    std::uint64_t ask_for_sweep(SweepExtent extent) override {
        return observer_->ask_for_sweep(extent);
    }
    std::uint64_t last_sweep_asked() override { return observer_->last_sweep_asked(); }
    bool is_counted(std::uint64_t number) override {
        return observer_->has_counted(number) || observer_->held_for().count() != 0;
    }
    std::optional<Result<void>> sweep_outcome(std::uint64_t number) override {
        return observer_->sweep_outcome(number);
    }
    std::vector<Service> services() override;
    std::vector<Override> overrides() override;
    Result<void> put_override(Override wanted) override;
    Result<bool> remove_override(const std::string& target) override;
    std::vector<BreakerRow> breakers() override;
    FindingPage findings_of(const FindingQuery& query) override;
    Result<void> force_breaker(const BreakerOrder& order) override;
    PathReport learn_path(const PathReport& report) override;
    Explanation explain(const Endpoint& endpoint,
                        const std::optional<std::string>& cgroup_path) override;
    Result<void> reload() override;
    void stop() override;
    void changed(const PolicyInForce& now) override;

private:
    Daemon(Options options, EventLoop loop, kernel::Programs programs);
    Result<void> prepare(Store store);
    Result<void> attach();
    Result<void> serve();
    Result<void> take_signals();
    void on_second();
    void listen(const PolicyInForce& now);
    bool take_answers();
    Result<void> sweep_at_start();
    void reclaim_pending();
    bool stop_threads();
    void save_findings();
    void report_limits();
    void recycle_consumers();
    [[nodiscard]] DestinationRow row_of(const Destination& destination);

    Options options_;
    EventLoop loop_;
    kernel::Programs programs_;
    kernel::Maps& maps_;
    kernel::PolicyMap policy_map_;
    kernel::Recycler recycler_;
    kernel::PendingReservations pending_;
    kernel::Datapath datapath_;
    kernel::DestinationTable destinations_;
    PolicyPublisher in_force_;
    findings::Findings findings_;
    HookKeeper hooks_;
    TimeoutKeeper timeouts_;
    NameKeeper names_;
    std::unique_ptr<PolicyKeeper> policy_;
    std::unique_ptr<BreakerKeeper> breakers_;
    std::unique_ptr<LoopThread> writer_; ///< of the history of findings
    std::unique_ptr<Observer> observer_;
    std::unique_ptr<PolicyWatch> watch_;
    std::unique_ptr<api::Server> server_;
    guards::LimitGuard limit_guard_;
    EventSource second_;
    EventSource on_term_;
    EventSource on_int_;
    EventSource on_hup_;
    WallTime started_ = std::chrono::system_clock::now();
    unsigned seconds_ = 0;
    bool trim_soon_ = false; ///< return the memory of a large answer
};

} // namespace ballast::app
