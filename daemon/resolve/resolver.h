// SPDX-License-Identifier: Apache-2.0
// Looking names up without blocking the event loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/resolve/worker.h"
#include "daemon/util/event_loop.h"

namespace ballast {

class Resolver {
public:
    using Heard = std::function<void(const std::vector<Lookup>&)>;

    /// `heard` is called on the loop with what was asked for, in one or more parts.
    static Result<std::unique_ptr<Resolver>> start(EventLoop& loop, Heard heard);

    void ask(const std::vector<std::string>& hosts) { worker_.ask(hosts); }

private:
    Resolver(Worker worker, Heard heard) : worker_(std::move(worker)), heard_(std::move(heard)) {}

    Worker worker_;
    Heard heard_;
    EventSource readable_; ///< goes before the descriptor that it watches
};

/// Looks all names up and waits for that, `at_most` for all together. One that was not done by then
/// has an error that says so.
Result<std::vector<Lookup>> look_up_all(const std::vector<std::string>& hosts,
                                        std::chrono::milliseconds at_most,
                                        Worker::LookUp look_up = ballast::look_up);

} // namespace ballast
