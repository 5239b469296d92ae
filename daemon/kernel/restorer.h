// SPDX-License-Identifier: Apache-2.0
// Gives the sockets of every network namespace back what Ballast changed about them, by the pinned
// iterator, so that it can be done without a daemon.
#pragma once

#include <string>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

class Restorer {
public:
    /// Takes hold of the pinned iterator; where there is none, run() has nothing to do.
    static Result<Restorer> open(const std::string& pin);

    /// Visits all sockets. A namespace that cannot be visited is an error, after the others were.
    /// `proc` is "/proc".
    Result<void> run(const std::string& proc) const;

private:
    explicit Restorer(Fd link) : link_(std::move(link)) {}
    Fd link_;
};

} // namespace ballast::kernel
