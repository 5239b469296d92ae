// SPDX-License-Identifier: Apache-2.0
// Keeps the programs attached that somebody else detaches, and says so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/findings/findings.h"
#include "daemon/kernel/programs.h"

namespace ballast::app {

class HookKeeper {
public:
    /// What is passed must outlive the keeper.
    HookKeeper(kernel::Programs& programs, findings::Findings& findings)
        : programs_(programs), findings_(findings) {}

    /// Call it every second. True: something was attached again, and what was opened meanwhile is
    /// to be counted by a sweep.
    bool tick();

    /// Programs that are not attached and cannot be.
    [[nodiscard]] const std::vector<std::string>& lost() const { return lost_; }
    /// Times that one was attached again.
    [[nodiscard]] std::uint64_t reattached() const { return reattached_; }

private:
    kernel::Programs& programs_;
    findings::Findings& findings_;
    std::vector<std::string> lost_;
    std::uint64_t reattached_ = 0;
};

} // namespace ballast::app
