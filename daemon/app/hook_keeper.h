// SPDX-License-Identifier: Apache-2.0
// Reattaches programs that somebody else detached, and reports it.
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

    /// Call it every second. True: something was reattached, and a sweep must count what was opened
    /// meanwhile.
    bool tick();

    /// Programs that are not attached and cannot be.
    [[nodiscard]] const std::vector<std::string>& lost() const { return lost_; }
    /// Number of reattachments.
    [[nodiscard]] std::uint64_t reattached() const { return reattached_; }

private:
    kernel::Programs& programs_;
    findings::Findings& findings_;
    std::vector<std::string> lost_;
    std::uint64_t reattached_ = 0;
};

} // namespace ballast::app
