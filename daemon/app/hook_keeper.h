// SPDX-License-Identifier: Apache-2.0
// Reattaches programs that somebody else detached, and reports it; keeps tracing programs attached
// for as long as they are needed, since the kernel runs them for every socket of the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/findings/findings.h"
#include "daemon/kernel/programs.h"

namespace ballast::app {

class HookKeeper {
public:
    /// The arguments must outlive the keeper.
    HookKeeper(kernel::Programs& programs, findings::Findings& findings)
        : programs_(programs), findings_(findings) {}

    /// Call it every second. True: a sweep is due, since something was reattached and what was
    /// opened meanwhile is to be counted, or since tracing programs are attached until sweeps have
    /// met all connections.
    bool tick();

    /// Programs that are not attached and cannot be.
    [[nodiscard]] const std::vector<std::string>& lost() const { return lost_; }
    /// Number of reattachments.
    [[nodiscard]] std::uint64_t reattached() const { return reattached_; }

private:
    void trace();

    kernel::Programs& programs_;
    findings::Findings& findings_;
    std::vector<std::string> lost_;
    std::uint64_t reattached_ = 0;
    bool has_failed_ = false; ///< the last trace()
    bool has_lost_watch_ = false;
};

} // namespace ballast::app
