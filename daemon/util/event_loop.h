// SPDX-License-Identifier: Apache-2.0
// sd-event with owned sources: a source ends with its handle, callbacks are std::function.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/util/error.h"

struct sd_event;
struct sd_event_source;

namespace ballast {

/// One registered source; dropping it unregisters the callback.
class EventSource {
public:
    EventSource() = default;
    ~EventSource();
    EventSource(EventSource&& other) noexcept;
    EventSource& operator=(EventSource&& other) noexcept;
    EventSource(const EventSource&) = delete;
    EventSource& operator=(const EventSource&) = delete;

    /// Timers only: fires once, `delay` from now, in place of any earlier time.
    void arm(std::chrono::nanoseconds delay);
    /// Timers only: does not fire until it is armed again.
    void disarm();

private:
    friend class EventLoop;
    sd_event_source* source_ = nullptr;
    std::unique_ptr<std::function<void()>> callback_; ///< its address is the C callback's argument
};

class EventLoop {
public:
    using Callback = std::function<void()>;

    static Result<EventLoop> create();
    ~EventLoop();
    EventLoop(EventLoop&& other) noexcept;
    EventLoop& operator=(EventLoop&&) = delete;
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    /// A one-shot timer on CLOCK_MONOTONIC, not yet armed.
    Result<EventSource> timer(Callback callback);
    /// Calls back whenever `fd` is readable; `fd` stays the caller's.
    Result<EventSource> on_readable(int fd, Callback callback);
    /// Takes over a signal, which is blocked for the process.
    Result<EventSource> on_signal(int signal, Callback callback);

    /// Keeps systemd's watchdog fed while the loop turns; nothing where none was asked for.
    Result<void> feed_watchdog();

    /// Turns until stop(); returns its code.
    Result<int> run();
    void stop(int code);

    [[nodiscard]] sd_event* get() const { return event_; }

private:
    EventLoop() = default;
    sd_event* event_ = nullptr;
};

} // namespace ballast
