// SPDX-License-Identifier: Apache-2.0
// Examines sockets in a thread of its own. The socket iterator and socket diagnosis take socket
// locks, and a program that faults on a page of a hung or frozen file system while it reads holds
// such a lock for as long as that lasts. This thread then waits in the kernel, uninterruptible, and
// the rest of the daemon goes on without it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/app/flow_keeper.h"
#include "daemon/app/path_keeper.h"
#include "daemon/app/policy_publisher.h"
#include "daemon/app/sweep_runner.h"
#include "daemon/util/loop_thread.h"

namespace ballast::app {

class Observer final : public PolicyReader {
public:
    /// The thread counts as held after this long in the kernel without progress, where no signal
    /// ends it. Each swept namespace is progress; one takes less than a second with a million
    /// sockets.
    static constexpr std::chrono::seconds held_after{5};

    /// All of it must outlive the observer.
    struct Parts {
        kernel::Maps& maps;
        kernel::PolicyMap& services;
        PolicyPublisher& policy;
        Guarded<govern::Governor>& governor;
        findings::Findings& findings;
        kernel::Sweeper::Links sweep_links; ///< of kernel::Programs
        int report_program;                 ///< likewise
        std::filesystem::path store_file;
    };
    static Result<std::unique_ptr<Observer>> start(const Parts& parts);

    /// stop() has to have returned true before.
    ~Observer() override = default;

    void changed(const PolicyInForce& now) override;

    /// Requests a sweep; returns its number. A request made before an earlier one's sweep has begun
    /// shares that sweep.
    std::uint64_t ask_for_sweep(SweepExtent extent);
    [[nodiscard]] std::uint64_t last_sweep_asked() const;
    /// Whether the sockets that processes have open are counted by the sweep of that number.
    [[nodiscard]] bool has_counted(std::uint64_t number) const;
    /// How the sweep of that number or a later one ended; nothing: it has not within `patience`.
    /// Also an error if the thread is held.
    std::optional<Result<void>> sweep_outcome(std::uint64_t number,
                                              std::chrono::nanoseconds patience = {});

    /// For how long the thread has been held; 0: it is not.
    [[nodiscard]] std::chrono::milliseconds held_for() const;

    /// What is known of the sockets since the last sweep, and whether the thread is held now.
    [[nodiscard]] SweepStatus status() const;
    [[nodiscard]] std::shared_ptr<const SweepRunner::Latest> latest() const {
        return sweeps_->latest();
    }
    [[nodiscard]] HalfOpenStatus half_open() const { return flows_->status(); }

    /// As PathKeeper says.
    [[nodiscard]] std::optional<PathReport> path_at(const Endpoint& destination,
                                                    std::uint16_t service) const;
    PathReport learn_path(const PathReport& report, const std::string& service);

    /// Once a second: reports when the thread is held, and when it resumes.
    void tick();

    /// Writes what was learned and ends the thread; false: it is held, and nothing that it uses may
    /// be destroyed.
    bool stop(std::chrono::nanoseconds patience);

private:
    /// Numbers of the sweeps that somebody asked for.
    struct Asked {
        std::uint64_t last = 0;
        std::uint64_t begun = 0;
        std::uint64_t counted = 0; ///< sockets that processes have open
        std::uint64_t ended = 0;
        SweepExtent extent = SweepExtent::paced; ///< of the one that has not begun
        Result<void> outcome;                    ///< of the one that ended
    };

    Observer(PolicyPublisher& policy, std::unique_ptr<LoopThread> thread)
        : policy_(policy), thread_(std::move(thread)) {}
    void sweep_as_asked();

    PolicyPublisher& policy_;
    std::unique_ptr<LoopThread> thread_;
    std::unique_ptr<SweepRunner> sweeps_;
    std::unique_ptr<FlowKeeper> flows_;
    std::unique_ptr<PathKeeper> paths_;
    mutable std::mutex mutex_; ///< of asked_
    std::condition_variable has_ended_;
    Asked asked_;
    std::chrono::milliseconds held_{0}; ///< as last said
};

} // namespace ballast::app
