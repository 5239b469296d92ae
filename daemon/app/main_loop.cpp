// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/main_loop.h"

#include <csignal>
#include <utility>

namespace ballast::app {

namespace {

Result<void> put(Result<EventSource> made, EventSource& into) {
    if (!made)
        return fail(made.error());
    into = std::move(*made);
    return {};
}

} // namespace

Result<MainLoop> MainLoop::create() {
    auto loop = EventLoop::create();
    if (!loop)
        return fail(loop.error());
    return MainLoop(std::move(*loop));
}

Result<void> MainLoop::begin(EventLoop::Callback second, EventLoop::Callback reload,
                             const EventLoop::Callback& stop) {
    auto begun =
        put(loop_.on_signal(SIGTERM, stop), on_term_)
            .and_then([&] { return put(loop_.on_signal(SIGINT, stop), on_int_); })
            .and_then([&] { return put(loop_.on_signal(SIGHUP, std::move(reload)), on_hup_); })
            .and_then([&] { return put(loop_.timer(std::move(second)), second_); });
    if (!begun)
        return begun;
    arm();
    return loop_.feed_watchdog();
}

} // namespace ballast::app
