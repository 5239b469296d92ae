// SPDX-License-Identifier: Apache-2.0
// The API's write operations on the daemon.
#include "daemon/app/daemon.h"

#include <systemd/sd-daemon.h>

#include "daemon/app/clock.h"
#include "daemon/app/log.h"

namespace ballast::app {

namespace {

const char* name_of(BreakerForce force) {
    if (force == BreakerForce::none)
        return "none";
    return force == BreakerForce::open ? "open" : "closed";
}

} // namespace

Result<void> Daemon::put_override(Override wanted) {
    auto put = policy_->put_override(wanted);
    if (put)
        log::info("override set target={} by={}", wanted.target, wanted.set_by);
    return put;
}

Result<bool> Daemon::remove_override(const std::string& target) {
    auto removed = policy_->remove_override(target);
    if (removed && *removed)
        log::info("override removed target={}", target);
    return removed;
}

Result<void> Daemon::force_breaker(const BreakerOrder& order) {
    auto forced = breakers_->force(order);
    if (forced)
        log::info("breaker order destination={} force={} by={} reason=\"{}\"",
                  order.endpoint.text(), name_of(order.force), order.by, order.reason);
    return forced;
}

PathReport Daemon::learn_path(const PathReport& report) {
    const auto in_force = in_force_.now();
    const Service* governing = in_force->governing(report.path);
    return observer_->learn_path(report, governing ? governing->name : std::string());
}

Result<void> Daemon::reload() {
    ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                 static_cast<long long>(now().time_since_epoch().count() / 1000));
    if (watch_)
        watch_->watch(); // before reading, or a change in a new directory could be missed
    auto loaded = policy_->reload();
    if (loaded) {
        const auto in_force = in_force_.now();
        log::info("policy in force file={} services={} generation={}", policy_->file(),
                  in_force->policy().services.size(), in_force->generation());
    } else {
        log::error("policy refused, the one in force stays: {}", loaded.error().text());
    }
    ::sd_notify(0, "READY=1");
    return loaded;
}

} // namespace ballast::app
