// SPDX-License-Identifier: Apache-2.0
// Examines sockets in a thread of its own. The socket iterator and socket diagnosis take socket
// locks, and a program that faults on a page of a hung or frozen file system while it reads holds
// such a lock for as long as that lasts. This thread then waits in the kernel, uninterruptible, and
// the rest of the daemon goes on without it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/guards/guard_set.h"
#include "daemon/kernel/instance.h"
#include "daemon/observe/sweep_runner.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/util/loop_thread.h"

namespace ballast::observe {

class Observer final : public policy::PolicyReader {
public:
    /// The thread counts as held after this long in the kernel without progress, where no signal
    /// ends it. Each swept namespace is progress; one takes less than a second with a million
    /// sockets.
    static constexpr std::chrono::seconds held_after{5};

    /// The thread does not run yet. Both must outlive the observer.
    static Result<std::unique_ptr<Observer>> create(kernel::Instance& instance,
                                                    policy::PolicyPublisher& policy);

    /// Of the thread, for the guards of sweeps.
    [[nodiscard]] EventLoop& loop() { return thread_->loop(); }

    /// Begins to observe, for these guards.
    Result<void> start(guards::GuardSet& guards);

    /// stop() has to have returned true before.
    ~Observer() override = default;

    void changed(const PolicyInForce& now) override;

    /// Requests a sweep; returns its number. A request made before an earlier one's sweep has begun
    /// shares that sweep.
    std::uint64_t ask_for_sweep(SweepExtent extent);
    /// The number of the sweep that counts what the last change of policy left to be counted; 0:
    /// nothing.
    [[nodiscard]] std::uint64_t count_to_await() const { return count_to_await_; }
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

    /// Once a second: reports when the thread is held, and when it resumes.
    void tick();

    /// Stops the guards and ends the thread; false: it is held, and nothing that it uses may
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

    Observer(policy::PolicyPublisher& policy, std::unique_ptr<LoopThread> thread)
        : policy_(policy), thread_(std::move(thread)) {}
    void sweep_as_asked();

    policy::PolicyPublisher& policy_;
    std::unique_ptr<LoopThread> thread_;
    std::unique_ptr<SweepRunner> sweeps_;
    guards::GuardSet* guards_ = nullptr;
    mutable std::mutex mutex_; ///< of asked_
    std::condition_variable has_ended_;
    Asked asked_;
    std::chrono::milliseconds held_{0};                  ///< as last said
    std::shared_ptr<const PolicyInForce> policy_before_; ///< of the main thread, as the next
    std::uint64_t count_to_await_ = 0;
};

} // namespace ballast::observe
