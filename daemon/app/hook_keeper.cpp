// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/hook_keeper.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ballast::app {

bool HookKeeper::tick() {
    std::vector<std::string> lost;
    const auto before = reattached_;
    for (const auto& hook : programs_.reattach_lost()) {
        if (hook.error.empty()) {
            ++reattached_;
            findings_.add({.reason = findings::Reason::hook_reattached,
                           .evidence = fmt::format("program={} conclusion=\"somebody detached it; "
                                                   "it is attached again\"",
                                                   hook.name),
                           .kind = hook.name,
                           .acted = true});
            continue;
        }
        lost.push_back(hook.name);
        if (std::ranges::find(lost_, hook.name) == lost_.end())
            findings_.add({.reason = findings::Reason::hook_lost,
                           .evidence = fmt::format("program={} conclusion=\"somebody detached it, "
                                                   "and it could not be attached again: {}\"",
                                                   hook.name, hook.error),
                           .kind = hook.name,
                           .acted = false});
    }
    lost_ = std::move(lost);
    return reattached_ != before;
}

} // namespace ballast::app
