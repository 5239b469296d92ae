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

#include "daemon/app/policy_publisher.h"
#include "daemon/app/sweep_runner.h"
#include "daemon/guards/gap_watch.h"
#include "daemon/guards/path_book.h"
#include "daemon/kernel/destination_table.h"
#include "daemon/model/half_open.h"
#include "daemon/model/path_report.h"
#include "daemon/store/bound_store.h"

namespace ballast::app {

class PathKeeper {
public:
    /// How often new knowledge is saved; after a dropped flow it is saved at once.
    static constexpr std::chrono::minutes save_interval{1};

    /// Continues from the store's file (opened before); if that cannot be read, logs it and starts
    /// without it. The references must outlive the keeper; the runner, which reports sweep results
    /// to it, must not sweep once it is gone.
    static std::unique_ptr<PathKeeper> start(const kernel::Maps& maps, PolicyPublisher& policy,
                                             SweepRunner& sweeps,
                                             const std::filesystem::path& store_file);

    /// A flow was found half-open, or heard of again after that.
    void on_verdict(const HalfOpenVerdict& verdict);

    /// Adds a measurement; returns what is then known. `service`: by whose rules, may be empty. The
    /// caller must call save().
    PathReport learn(const PathReport& report, const std::string& service);

    /// What is known of the path to a destination, by the rules of a service's id; none if nothing.
    [[nodiscard]] std::optional<PathReport> at(const Endpoint& destination,
                                               std::uint16_t service) const;

    /// Writes what is new, which takes as long as the file system does; call it before the daemon
    /// ends, too.
    void save();

private:
    PathKeeper(const kernel::Maps& maps, PolicyPublisher& policy)
        : destinations_(maps), policy_(policy) {}
    void open_store(const std::filesystem::path& file);
    void recall();
    void on_sweep(std::span<const SweptFlow> flows);
    void end_sweep();
    [[nodiscard]] std::optional<PathReport> report_of(const Endpoint& destination,
                                                      const Service* service) const;
    void tell_programs();
    [[nodiscard]] KeepaliveTimes times_of(const Endpoint& destination,
                                          const Service* service) const;
    bool settle();

    kernel::DestinationTable destinations_;
    PolicyPublisher& policy_;
    mutable std::mutex mutex_; ///< of what follows, the store apart
    guards::GapWatch watch_;
    guards::PathBook book_;
    std::chrono::steady_clock::time_point sweep_began_;
    std::chrono::steady_clock::time_point saved_;
    std::uint64_t told_full_ = 0; ///< times a table was full, as logged
    bool has_told_ = true;        ///< programs may know of some path, by an earlier daemon even
    std::mutex store_mutex_;
    std::optional<BoundStore> store_;
};

} // namespace ballast::app
