// SPDX-License-Identifier: Apache-2.0
// Runs the in-kernel socket iterators, a step at a time, so that the event loop is never held for
// longer than one of them takes.
//
// A visit (iter/tcp, bpf/sweep.bpf.c) looks at every socket of one network namespace, and costs
// what the host's hash table is long. The pass over files (iter/task_file, bpf/sweep_files.bpf.c)
// meets every socket of the host that a process has open, in one go, and costs what sockets there
// are. So few namespaces are all visited, and of many only some after a pass over files
// (visit_plan.h).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "bpf/abi.h"
#include "daemon/kernel/maps.h"
#include "daemon/kernel/namespaces.h"
#include "daemon/kernel/socket_census.h"
#include "daemon/kernel/socket_iterator.h"
#include "daemon/kernel/sockets_met.h"
#include "daemon/kernel/visit_plan.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/swept_flow.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

/// Totals of one whole sweep, over all namespaces. A socket that was met twice counts once.
struct SweepTotals {
    std::uint32_t number = 0;
    std::uint64_t sockets = 0; ///< TIME_WAIT and listeners apart
    std::uint64_t time_wait = 0;
    std::uint64_t adopted = 0;
    std::uint64_t moved = 0;      ///< reservations that a new policy gave to another destination
    std::uint64_t kept_alive = 0; ///< sockets with keepalive of Ballast's
    std::uint64_t keepalive_wanted = 0;
    std::uint64_t untracked = 0; ///< governed sockets that could not be counted: a table is full
    std::uint64_t not_told_apart = 0; ///< sockets perhaps reported twice: too many at a time
    std::chrono::nanoseconds cpu{0};
    std::uint64_t looked_at = 0; ///< namespaces that were visited or covered by the pass over files
    /// Inode numbers of the namespaces there are: every socket was visited, or not.
    std::unordered_set<std::uint32_t> visited;
    std::unordered_set<std::uint32_t> not_visited;
    std::unordered_set<std::uint32_t> missed; ///< of these, those that cannot be
    std::vector<std::string> failures;        ///< why not
};

class Sweeper {
public:
    /// Namespaces that are all visited by each sweep; where there are more, a pass over files is
    /// cheaper.
    static constexpr std::size_t few = 4;

    /// Receives sockets in batches as they are read; the memory is reused after the call.
    using Sink = std::function<void(std::span<const SweptFlow>)>;

    /// Descriptors of the iterators' links.
    struct Links {
        int sockets; ///< iter/tcp
        int files;   ///< iter/task_file; -1: this kernel has none, so every namespace is visited
    };

    /// `proc` is "/proc".
    Sweeper(Maps& maps, Links links, std::string proc);

    /// Lists the namespaces and numbers the sweep. Any sweep under way is forgotten. `budget`: CPU
    /// time beyond which a paced one makes no more than one visit.
    Result<void> begin(SweepExtent extent, std::chrono::nanoseconds budget);

    /// Does the next part; false when there was none left and totals() is complete.
    bool step(const Sink& sink);

    [[nodiscard]] const SweepTotals& totals() const { return totals_; }

    /// Whether every socket that a process has open was met since begin().
    [[nodiscard]] bool has_met_open_sockets() const {
        return stage_ == Stage::chosen || stage_ == Stage::done;
    }

    /// Inode number of the namespace that a step is in; 0: none. From any thread.
    [[nodiscard]] std::uint32_t visiting() const { return visiting_; }

private:
    enum class Stage { files, chosen, all, done };

    bool advance(const Sink& sink);
    void pass_over_files(const Sink& sink);
    void plan_visits();
    /// None: no process is left there.
    [[nodiscard]] Result<std::optional<SocketCounts>>
    count_in_kernel(const NetNamespace& space) const;
    void finish(const Sink& sink);
    Result<void> read_all(SocketIterator::Start start,
                          const std::function<void(std::span<ballast_flow>)>& take);
    void hand_over(std::span<const ballast_flow> flows, const Sink& sink);
    void sweep_one(const NetNamespace& space, const Sink& sink);
    Result<void> visit(const NetNamespace& space, const Sink& sink);
    void add_totals();
    void miss(const NetNamespace& space, const Error& error);

    Maps* maps_;
    Links links_;
    std::string proc_;
    SocketIterator iterators_;
    SocketsMet met_;
    SocketCensus census_;
    VisitPlan plan_;
    Stage stage_ = Stage::done;
    std::chrono::nanoseconds budget_{0};
    std::uint32_t hz_;
    std::vector<SweptFlow> batch_;
    std::vector<NetNamespace> spaces_;
    std::size_t next_ = 0; ///< to visit, where all are
    SweepTotals totals_;
    std::atomic<std::uint32_t> visiting_{0};
};

} // namespace ballast::kernel
