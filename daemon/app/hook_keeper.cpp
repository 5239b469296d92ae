// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/hook_keeper.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/util/log.h"

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
    trace();
    return reattached_ != before || programs_.is_tracing_for_a_while();
}

void HookKeeper::trace() {
    const auto done = programs_.trace_if_needed();
    if (!done && !has_failed_)
        log::error("{}", done.error().text());
    has_failed_ = !done;
    if (programs_.has_lost_watch() && !has_lost_watch_)
        log::warn(
            "another program's sockops replaces the flags of connections that Ballast counts; "
            "tracing programs stay attached, which see their end too");
    has_lost_watch_ = programs_.has_lost_watch();
}

} // namespace ballast::app
