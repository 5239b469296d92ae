// SPDX-License-Identifier: Apache-2.0
// Learns what the paths to governed destinations tolerate, from sweeps and half-open findings, sets
// keepalive `auto` in the programs accordingly, and keeps it over restarts.
//
// It learns in the observer thread and is queried from another; its lock is never held while
// anything waits for a socket.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>

#include "daemon/guards/guard.h"
#include "daemon/guards/keepalive/clock_steps.h"
#include "daemon/guards/keepalive/flow_ages.h"
#include "daemon/guards/keepalive/gap_watch.h"
#include "daemon/guards/keepalive/local_peers.h"
#include "daemon/guards/keepalive/loss_events.h"
#include "daemon/guards/keepalive/path_book.h"
#include "daemon/guards/keepalive/try_watch.h"
#include "daemon/kernel/datapath.h"
#include "daemon/kernel/destination_table.h"
#include "daemon/model/half_open.h"
#include "daemon/model/path_report.h"
#include "daemon/store/bound_store.h"

namespace ballast::guards {

class PathKeeper final : public Guard {
public:
    /// How often new knowledge is saved; after a dropped flow it is saved at once.
    static constexpr std::chrono::minutes save_interval{1};

    /// Continues from the store's file; if that cannot be read, logs it and starts without it.
    static Result<std::unique_ptr<Guard>> make(const Surroundings& around);

    void observe(std::span<const SweptFlow> flows) override;
    void end_sweep(const SweepSummary& summary) override;
    /// A flow was found half-open, or heard from again after that.
    void on_verdict(const HalfOpenVerdict& verdict) override;
    void report(DaemonStatus& status) const override;
    void stop() override;

    /// Adds a measurement; returns what is then known. `service`: by whose rules, may be empty.
    /// From any thread.
    PathReport learn(const PathReport& report, const std::string& service);

    /// What is known of the path to a destination, by the rules of a service's id; none if
    /// nothing. From any thread.
    [[nodiscard]] std::optional<PathReport> at(const Endpoint& destination,
                                               std::uint16_t service) const;

private:
    explicit PathKeeper(const Surroundings& around);
    void open_store(const std::filesystem::path& file);
    void recall();
    [[nodiscard]] std::optional<PathReport> report_of(const Endpoint& destination,
                                                      const Service* service) const;
    void tell_programs();
    [[nodiscard]] KeepaliveTimes times_of(const Endpoint& destination,
                                          const Service* service) const;
    void look_at(const SweptFlow& flow, const Service& service);
    void look_at_clocks();
    void note_dead_tries();
    bool settle();
    /// Writes what is new. In the writer's thread.
    void save();

    kernel::DestinationTable destinations_;
    kernel::Datapath datapath_;
    policy::PolicyPublisher& policy_;
    LoopThread& writer_;
    Guarded<KeepaliveStatus> kept_alive_; ///< of the last sweep
    mutable std::mutex mutex_;            ///< of what follows, the store apart
    guards::GapWatch watch_;
    guards::PathBook book_;
    guards::LossEvents events_;
    guards::TryWatch tries_;
    guards::LocalPeers locals_;
    guards::FlowAges ages_;
    guards::ClockSteps clocks_;
    std::unordered_map<std::uint64_t, PathPlace> trying_; ///< of flows in tries_, by cookie
    std::chrono::steady_clock::time_point sweep_began_;
    std::chrono::steady_clock::time_point saved_;
    std::uint64_t told_full_ = 0; ///< times a table was full, as logged
    bool has_told_ = true;        ///< programs may know of some path, by an earlier daemon even
    std::mutex store_mutex_;
    std::optional<BoundStore> store_;
};

} // namespace ballast::guards
