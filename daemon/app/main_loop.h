// SPDX-License-Identifier: Apache-2.0
// The main thread's event loop, with the signals it takes and its tick.
#pragma once

#include <chrono>

#include "daemon/util/error.h"
#include "daemon/util/event_loop.h"

namespace ballast::app {

class MainLoop {
public:
    static constexpr std::chrono::seconds heartbeat_interval{1};

    static Result<MainLoop> create();

    /// Calls back every second, at SIGHUP (reload), and at SIGTERM and SIGINT (stop), from now on;
    /// feeds the service manager's watchdog.
    Result<void> begin(EventLoop::Callback second, EventLoop::Callback reload,
                       const EventLoop::Callback& stop);

    /// To be called in each tick.
    void arm() { second_.arm(heartbeat_interval); }

    [[nodiscard]] EventLoop& loop() { return loop_; }

private:
    explicit MainLoop(EventLoop loop) : loop_(std::move(loop)) {}

    EventLoop loop_;
    EventSource second_;
    EventSource on_term_;
    EventSource on_int_;
    EventSource on_hup_;
};

} // namespace ballast::app
