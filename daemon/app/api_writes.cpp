// SPDX-License-Identifier: Apache-2.0
// The API's write operations on the daemon.
#include "daemon/app/api_backend.h"
#include "daemon/guards/breaker/wiring/breaker_keeper.h"
#include "daemon/guards/keepalive/wiring/path_keeper.h"
#include "daemon/model/state_names.h"
#include "daemon/util/log.h"

namespace ballast::app {

Result<void> ApiBackend::put_override(Override wanted) {
    auto put = parts_.policy.keeper().put_override(wanted);
    if (put)
        log::info("override set target={} by={}", wanted.target, wanted.set_by);
    return put;
}

Result<bool> ApiBackend::remove_override(const std::string& target) {
    auto removed = parts_.policy.keeper().remove_override(target);
    if (removed && *removed)
        log::info("override removed target={}", target);
    return removed;
}

Result<void> ApiBackend::force_breaker(const BreakerOrder& order) {
    auto forced = parts_.guards.get<guards::BreakerKeeper>().force(order);
    if (forced)
        log::info("breaker order destination={} force={} by={} reason=\"{}\"",
                  order.endpoint.text(), name_of(order.force), order.by, order.reason);
    return forced;
}

PathReport ApiBackend::learn_path(const PathReport& report) {
    const auto policy = in_force();
    const Service* governing = policy->governing(report.path);
    return parts_.guards.get<guards::PathKeeper>().learn(report, governing ? governing->name
                                                                           : std::string());
}

Result<void> ApiBackend::reload() {
    return parts_.policy.reload();
}

void ApiBackend::stop() {
    parts_.loop.stop(0);
}

} // namespace ballast::app
