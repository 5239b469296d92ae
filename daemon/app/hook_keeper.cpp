// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/hook_keeper.h"

#include <algorithm>
#include <utility>

#include "daemon/app/log.h"

namespace ballast::app {

bool HookKeeper::tick() {
    std::vector<std::string> lost;
    const auto before = reattached_;
    for (const auto& hook : programs_.reattach_lost()) {
        if (hook.error.empty()) {
            ++reattached_;
            log::warn(
                "finding reason=hook_reattached program={} conclusion=\"somebody detached it; "
                "it is attached again\"",
                hook.name);
            continue;
        }
        lost.push_back(hook.name);
        if (std::ranges::find(lost_, hook.name) == lost_.end())
            log::error("finding reason=hook_lost program={} conclusion=\"somebody detached it, and "
                       "it could not be attached again: {}\"",
                       hook.name, hook.error);
    }
    lost_ = std::move(lost);
    return reattached_ != before;
}

} // namespace ballast::app
