// SPDX-License-Identifier: Apache-2.0
// Runs the in-kernel socket iterator over every network namespace, one namespace a step, so that
// the event loop is never held for longer than one namespace takes.
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
#include "daemon/kernel/socket_iterator.h"
#include "daemon/model/swept_flow.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

/// What one whole sweep did, over all namespaces.
struct SweepTotals {
    std::uint32_t number = 0;
    std::uint64_t sockets = 0; ///< TIME_WAIT and listeners apart
    std::uint64_t time_wait = 0;
    std::uint64_t adopted = 0;
    std::uint64_t moved = 0;      ///< reservations that a new policy gave to another destination
    std::uint64_t kept_alive = 0; ///< sockets with keepalive of Ballast's
    std::uint64_t keepalive_wanted = 0;
    std::uint64_t untracked = 0; ///< governed sockets that could not be counted: a table is full
    std::chrono::nanoseconds cpu{0};
    std::unordered_set<std::uint32_t> visited; ///< inode numbers of namespaces
    std::unordered_set<std::uint32_t> missed;  ///< those that are there and could not be visited
    std::vector<std::string> failures;         ///< why not
};

class Sweeper {
public:
    /// Receives sockets in batches as they are read; the memory is reused after the call.
    using Sink = std::function<void(std::span<const SweptFlow>)>;

    /// `link` is the iter/tcp link; `proc` is "/proc".
    Sweeper(Maps& maps, int link, std::string proc);

    /// Lists the namespaces and numbers the sweep. Any sweep under way is forgotten.
    Result<void> begin();

    /// Sweeps the next namespace; false when there was none left and totals() is complete.
    bool step(const Sink& sink);

    [[nodiscard]] const SweepTotals& totals() const { return totals_; }

    /// Inode number of the namespace that a step is in; 0: none. From any thread.
    [[nodiscard]] std::uint32_t visiting() const { return visiting_; }

private:
    Result<void> visit(const NetNamespace& space, const Sink& sink);
    Result<void> read_all(SocketIterator::Start start, const Sink& sink);
    void hand_over(std::span<const ballast_flow> records, const Sink& sink);
    void add_totals();
    void sweep_one(const NetNamespace& space, const Sink& sink);
    void miss(const NetNamespace& space, const Error& error);

    Maps* maps_;
    int link_;
    std::string proc_;
    SocketIterator iterators_;
    std::uint32_t hz_;
    std::vector<SweptFlow> batch_;
    std::vector<NetNamespace> spaces_;
    std::size_t next_ = 0;
    SweepTotals totals_;
    std::atomic<std::uint32_t> visiting_{0};
};

} // namespace ballast::kernel
