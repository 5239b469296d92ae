// SPDX-License-Identifier: Apache-2.0
// Runs sweeps on the observer thread's event loop: one step per turn, at an interval set by their
// cost. Any thread may read the last one's results.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "daemon/guards/guard_set.h"
#include "daemon/kernel/instance.h"
#include "daemon/kernel/ledger.h"
#include "daemon/kernel/sweeper.h"
#include "daemon/model/peer_table.h"
#include "daemon/model/policy_in_force.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/swept_flow.h"
#include "daemon/util/error.h"
#include "daemon/util/event_loop.h"
#include "daemon/util/guarded.h"
#include "daemon/util/loop_thread.h"

namespace ballast::observe {

class SweepRunner {
public:
    /// The arguments must outlive the runner.
    static Result<std::unique_ptr<SweepRunner>> create(LoopThread& thread,
                                                       kernel::Instance& instance);

    /// Who sees every sweep's sockets and its end; before the first sweep.
    void set_guards(guards::GuardSet& guards) { guards_ = &guards; }

    /// Takes the shortest pause between the starts of two sweeps.
    void changed(const PolicyInForce& now);

    /// Rows kept from the last sweep, one per socket; more are only counted.
    static constexpr std::size_t most_flows = 100'000;

    /// Sweeps before it returns, replacing a sweep under way, and plans the next one. Fails if no
    /// namespace could be read.
    /// `counted` is called once the sockets that processes have open are counted, which may be long
    /// before the end.
    Result<void> run_now(SweepExtent extent, const std::function<void()>& counted);

    /// The sockets that the last sweep met, when it ended (nothing before the first), and how many
    /// it met beyond those kept.
    struct Flows {
        std::vector<SweptFlow> rows;
        std::optional<std::chrono::steady_clock::time_point> taken;
        std::uint64_t left_out = 0;
    };
    /// What is known since the last sweep ended; immutable.
    struct Latest {
        SweepStatus status;
        std::vector<PeerRow> peers;
        std::shared_ptr<const Flows> flows = std::make_shared<const Flows>();
        /// By index of `destinations`, zeros left out.
        std::unordered_map<std::uint32_t, std::int64_t> drift;
    };
    /// From any thread.
    [[nodiscard]] std::shared_ptr<const Latest> latest() const { return latest_.get(); }

    /// Inode number of the network namespace that is being visited; 0: none. From any thread.
    [[nodiscard]] std::uint32_t visiting() const { return sweeper_.visiting(); }

private:
    SweepRunner(LoopThread& thread, kernel::Instance& instance);
    void turn();
    Result<void> begin(SweepExtent extent, std::chrono::nanoseconds budget);
    bool step();
    void take(std::span<const SweptFlow> flows);
    bool wait_for_programs();
    void finish();
    kernel::LedgerFindings judge();
    void report(const kernel::LedgerFindings& found);
    void plan_next();
    void publish();

    LoopThread& thread_;
    kernel::Maps& maps_;
    kernel::PolicyMap& policy_;
    kernel::Sweeper sweeper_;
    kernel::Ledger ledger_;
    PeerTable table_;
    guards::GuardSet* guards_ = nullptr;
    EventSource timer_;
    std::chrono::nanoseconds wanted_{std::chrono::seconds(5)};
    bool under_way_ = false;
    Flows gathered_; ///< by the sweep under way
    Latest next_;    ///< what is published at its end
    Guarded<std::shared_ptr<const Latest>> latest_{std::make_shared<const Latest>()};
};

} // namespace ballast::observe
