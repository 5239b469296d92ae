// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/policy_control.h"

#include <utility>

#include <systemd/sd-daemon.h>

#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::policy {

PolicyControl::PolicyControl(EventLoop& loop, kernel::Instance& instance, std::string file,
                             std::unique_ptr<PolicyStore> store)
    : loop_(loop), instance_(instance), store_(std::move(store)),
      publisher_(instance.maps(), instance.services()), timeouts_(instance.programs()),
      names_(loop, *store_, [this] { return take_answers(); }),
      keeper_(std::move(file), instance.services(), publisher_, timeouts_, names_, *store_) {}

Result<void> PolicyControl::start() {
    auto loaded = keeper_.reload();
    if (loaded || !instance_.programs().adopted())
        return loaded;
    keeper_.adopt_running(loaded.error());
    log::error("policy refused, the one in force stays: {}", loaded.error().text());
    return {};
}

Result<void> PolicyControl::watch() {
    store_->start_serving();
    auto watch = PolicyWatch::start(loop_, keeper_.file(), [this] { (void)reload(); });
    if (!watch)
        return fail(watch.error());
    watch_ = std::move(*watch);
    return {};
}

Result<void> PolicyControl::reload() {
    ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                 static_cast<long long>(now().time_since_epoch().count() / 1000));
    if (watch_)
        watch_->watch(); // before reading, or a change in a new directory could be missed
    auto loaded = keeper_.reload();
    if (loaded) {
        const auto in_force = publisher_.now();
        log::info("policy in force file={} services={} generation={}", keeper_.file(),
                  in_force->policy().services.size(), in_force->generation());
    } else {
        log::error("policy refused, the one in force stays: {}", loaded.error().text());
    }
    ::sd_notify(0, "READY=1");
    return loaded;
}

void PolicyControl::tick() {
    keeper_.drop_expired(std::chrono::system_clock::now());
    publisher_.follow_kill_switch();
    timeouts_.follow(publisher_.now()->policy(), now().time_since_epoch());
}

/// DNS answers have changed. False: they are not in force.
bool PolicyControl::take_answers() {
    const auto changed = keeper_.refresh();
    if (!changed) {
        log::error("addresses of DNS names are not in force yet, retrying: {}",
                   changed.error().text());
        return false;
    }
    if (*changed)
        log::info("policy in force with new addresses of DNS names, generation={}",
                  publisher_.now()->generation());
    return true;
}

} // namespace ballast::policy
