// SPDX-License-Identifier: Apache-2.0
// An event loop that turns in a thread of its own, for work that the kernel may hold for as long as
// it likes. Nobody has to wait for it: it can be asked since when it has been held, and be left.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/util/error.h"
#include "daemon/util/event_loop.h"
#include "daemon/util/fd.h"
#include "daemon/util/guarded.h"

namespace ballast {

class LoopThread {
public:
    using Job = std::function<void()>;

    /// `name`: at most 15 characters, as `ps -L` shows it. The thread does not run yet.
    static Result<std::unique_ptr<LoopThread>> create(std::string name);

    /// stop() has to have returned true before.
    ~LoopThread();
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    /// For the sources of what works in the thread: to be used before start() and from the thread.
    [[nodiscard]] EventLoop& loop() { return loop_; }

    /// No signal is delivered to the thread.
    Result<void> start();

    /// Has the thread do `job`, after those that were posted before. From any thread.
    void post(Job job);

    /// Posts `job` and waits until it is done; false: it was not within `patience`, and will be
    /// done later.
    bool run(Job job, std::chrono::nanoseconds patience);

    /// From the thread, in the middle of a long job: it goes on.
    void mark_progress();

    /// For how long the thread has been at what it does now, since it last marked progress; 0: it
    /// waits for something to do.
    [[nodiscard]] std::chrono::nanoseconds busy_for() const;

    /// Whether the thread waits in the kernel where no signal ends that: state D of proc(5).
    [[nodiscard]] bool is_uninterruptible() const;

    /// Ends the thread after what was posted; false: it is held and did not end within `patience`.
    /// Then neither it nor anything that it uses may be destroyed.
    bool stop(std::chrono::nanoseconds patience);

private:
    LoopThread(std::string name, EventLoop loop, Fd wake)
        : name_(std::move(name)), loop_(std::move(loop)), wake_(std::move(wake)) {}
    Result<void> listen();
    void turn();
    void do_jobs();

    std::string name_;
    EventLoop loop_;
    Fd wake_; ///< an eventfd, readable while there are jobs
    EventSource readable_;
    Guarded<std::vector<Job>> jobs_;
    std::atomic<std::chrono::nanoseconds::rep> busy_since_{0}; ///< CLOCK_MONOTONIC; 0: idle
    std::atomic<int> id_{0};                                   ///< gettid(); 0: not started
    std::promise<void> end_;
    std::future<void> ended_ = end_.get_future();
    std::thread thread_;
};

} // namespace ballast
