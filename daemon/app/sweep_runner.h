// SPDX-License-Identifier: Apache-2.0
// Runs sweeps on the event loop: a step a turn, at an interval that their cost decides, and keeps
// what the last one found.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "daemon/app/peer_table.h"
#include "daemon/app/policy_publisher.h"
#include "daemon/kernel/ledger.h"
#include "daemon/kernel/maps.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/kernel/sweeper.h"
#include "daemon/model/snapshot.h"
#include "daemon/util/error.h"
#include "daemon/util/event_loop.h"

namespace ballast::app {

class SweepRunner final : public PolicyReader {
public:
    /// All references must outlive the runner.
    static Result<std::unique_ptr<SweepRunner>> create(EventLoop& loop, kernel::Maps& maps,
                                                       kernel::PolicyMap& policy,
                                                       kernel::Sweeper::Links links);

    /// Takes the shortest pause between the starts of two sweeps.
    void changed(const PolicyInForce& now) override;

    /// Sockets of which the last sweep's rows are kept; what is more is counted.
    static constexpr std::size_t most_flows = 100'000;

    /// Sweeps before it returns, in place of a sweep under way, and plans the next one. Fails when
    /// no namespace could be looked at.
    Result<void> run_now(SweepExtent extent);

    /// Sees every sweep's sockets, and its end. Watchers are called in the order they came.
    struct Watcher {
        std::function<void(std::span<const ballast_flow>)> on_flows;
        std::function<void()> on_end;
    };
    void watch(Watcher watcher) { watchers_.push_back(std::move(watcher)); }

    /// Releases reservations of connects that failed before SYN_SENT; call it every second.
    void reclaim_pending();

    [[nodiscard]] const SweepStatus& status() const { return status_; }
    /// Of the last sweep; what failed is not its business.
    [[nodiscard]] const KeepaliveStatus& keepalive() const { return keepalive_; }
    [[nodiscard]] const std::vector<PeerRow>& peers() const { return peers_; }
    /// The sockets that the last sweep met, when it ended (nothing before the first), and how many
    /// more it met than are kept.
    struct Flows {
        std::vector<ballast_flow> rows;
        std::optional<std::chrono::steady_clock::time_point> taken;
        std::uint64_t left_out = 0;
    };
    [[nodiscard]] const Flows& flows() const { return flows_; }
    /// Drift by index of `destinations`, as the last sweep found it; zeros left out.
    [[nodiscard]] const std::unordered_map<std::uint32_t, std::int64_t>& drift() const {
        return findings_.drift;
    }

private:
    SweepRunner(kernel::Maps& maps, kernel::PolicyMap& policy, kernel::Sweeper::Links links);
    void turn();
    Result<void> begin(SweepExtent extent, std::chrono::nanoseconds budget);
    bool step();
    void keep(std::span<const ballast_flow> flows);
    bool wait_for_programs();
    void finish();
    void plan_next();
    [[nodiscard]] kernel::Ledger::Used used() const;

    kernel::Maps& maps_;
    kernel::PolicyMap& policy_;
    kernel::Sweeper sweeper_;
    kernel::Ledger ledger_;
    PeerTable table_;
    std::vector<Watcher> watchers_;
    EventSource timer_;
    std::chrono::nanoseconds wanted_{std::chrono::seconds(5)};
    bool under_way_ = false;
    SweepStatus status_;
    KeepaliveStatus keepalive_;
    std::vector<PeerRow> peers_;
    Flows gathered_; ///< by the sweep under way
    Flows flows_;
    kernel::LedgerFindings findings_;
};

} // namespace ballast::app
