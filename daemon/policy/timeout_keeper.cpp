// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/timeout_keeper.h"

#include <algorithm>

#include "daemon/util/log.h"

namespace ballast::policy {

namespace {

bool wants_tuning(const Policy& policy) {
    return std::ranges::any_of(policy.services, [](const Service& service) {
        return service.connect_timeout.count() != 0 ||
               (service.keepalive.mode == Mode::enforce &&
                service.keepalive.kind != KeepaliveKind::off);
    });
}

} // namespace

Result<void> TimeoutKeeper::prepare(const Policy& policy) {
    if (auto started = programs_.start_tracing(); !started)
        return fail(started.error().context("count connections that are there already"));
    if (!wants_tuning(policy))
        return {};
    if (auto started = programs_.start_tuning(); !started)
        return fail(started.error().context("hold connect_timeout or keepalive"));
    return {};
}

void TimeoutKeeper::follow(const Policy& policy, std::chrono::nanoseconds now) {
    const bool is_wanted = wants_tuning(datapath_policy(policy));
    if (!is_wanted)
        programs_.stop_tuning();
    if (!linger_.is_over(is_wanted, now) || !programs_.is_tune_attached())
        return;
    if (auto detached = programs_.detach_tune(); !detached)
        log::error("{}", detached.error().text());
    else
        log::info("program tune detached: no service has a connect_timeout or enforces keepalive");
}

} // namespace ballast::policy
