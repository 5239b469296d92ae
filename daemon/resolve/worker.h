// SPDX-License-Identifier: Apache-2.0
// A thread that looks names up, one after the other, so that no other thread waits for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/resolve/lookup.h"
#include "daemon/util/error.h"

namespace ballast {

class Worker {
public:
    using LookUp = std::function<Lookup(const std::string&)>;

    /// Starts the thread, which takes no signals. `look_up` is called there and must not refer to
    /// anything that may go before the process does.
    static Result<Worker> start(LookUp look_up = ballast::look_up);

    /// Does not wait: the thread ends by itself after the lookup under way.
    ~Worker();
    Worker(Worker&&) noexcept = default;
    Worker& operator=(Worker&&) = delete;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void ask(const std::vector<std::string>& hosts);

    /// The lookups completed since the last call.
    std::vector<Lookup> take();

    /// A descriptor that is readable while take() has something.
    [[nodiscard]] int readable() const;

private:
    struct Shared;
    explicit Worker(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

    std::shared_ptr<Shared> shared_; ///< with the thread
};

} // namespace ballast
