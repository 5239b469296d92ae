// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/event_loop.h"

#include <csignal>
#include <utility>

#include <sys/epoll.h>
#include <systemd/sd-event.h>

namespace ballast {

namespace {

/// Timers may fire this much late, so that wake-ups coalesce.
constexpr std::uint64_t timer_accuracy_us = 50'000;

int call(void* callback) {
    (*static_cast<std::function<void()>*>(callback))();
    return 0;
}

int on_time(sd_event_source*, std::uint64_t, void* callback) {
    return call(callback);
}
int on_io(sd_event_source*, int, std::uint32_t, void* callback) {
    return call(callback);
}
int on_signal_info(sd_event_source*, const signalfd_siginfo*, void* callback) {
    return call(callback);
}

Error failed(const char* what, int negative_errno) {
    return Error::system(fmt::format("event loop: {}", what), -negative_errno);
}

} // namespace

EventSource::~EventSource() {
    sd_event_source_disable_unref(source_);
}

EventSource::EventSource(EventSource&& other) noexcept
    : source_(std::exchange(other.source_, nullptr)), callback_(std::move(other.callback_)) {}

EventSource& EventSource::operator=(EventSource&& other) noexcept {
    std::swap(source_, other.source_);
    std::swap(callback_, other.callback_);
    return *this;
}

void EventSource::arm(std::chrono::nanoseconds delay) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(delay).count();
    sd_event_source_set_time_relative(source_, static_cast<std::uint64_t>(us));
    sd_event_source_set_enabled(source_, SD_EVENT_ONESHOT);
}

void EventSource::disarm() {
    sd_event_source_set_enabled(source_, SD_EVENT_OFF);
}

Result<EventLoop> EventLoop::create() {
    EventLoop loop;
    if (const int error = sd_event_new(&loop.event_); error < 0)
        return fail(failed("create", error));
    return loop;
}

EventLoop::~EventLoop() {
    sd_event_unref(event_);
}

EventLoop::EventLoop(EventLoop&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}

Result<EventSource> EventLoop::timer(Callback callback) {
    EventSource source;
    source.callback_ = std::make_unique<Callback>(std::move(callback));
    const int error =
        sd_event_add_time_relative(event_, &source.source_, CLOCK_MONOTONIC, 0, timer_accuracy_us,
                                   on_time, source.callback_.get());
    if (error < 0)
        return fail(failed("add a timer", error));
    sd_event_source_set_enabled(source.source_, SD_EVENT_OFF);
    return source;
}

Result<EventSource> EventLoop::on_readable(int fd, Callback callback) {
    EventSource source;
    source.callback_ = std::make_unique<Callback>(std::move(callback));
    const int error =
        sd_event_add_io(event_, &source.source_, fd, EPOLLIN, on_io, source.callback_.get());
    if (error < 0)
        return fail(failed("watch a descriptor", error));
    return source;
}

Result<EventSource> EventLoop::on_signal(int signal, Callback callback) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr))
        return fail(failed("block a signal", -error));
    EventSource source;
    source.callback_ = std::make_unique<Callback>(std::move(callback));
    const int error = sd_event_add_signal(event_, &source.source_, signal, on_signal_info,
                                          source.callback_.get());
    if (error < 0)
        return fail(failed("take over a signal", error));
    return source;
}

Result<void> EventLoop::feed_watchdog() {
    if (const int error = sd_event_set_watchdog(event_, true); error < 0)
        return fail(failed("feed the watchdog", error));
    return {};
}

Result<int> EventLoop::run() {
    const int code = sd_event_loop(event_);
    if (code < 0)
        return fail(failed("run", code));
    return code;
}

void EventLoop::stop(int code) {
    sd_event_exit(event_, code);
}

} // namespace ballast
