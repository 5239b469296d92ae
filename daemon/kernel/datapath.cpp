// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/datapath.h"

#include <algorithm>

#include "daemon/kernel/flows.h"

namespace ballast::kernel {

void Datapath::beat(std::chrono::steady_clock::time_point now) const {
    const std::chrono::nanoseconds since_boot = now.time_since_epoch();
    __atomic_store_n(&maps_->control->heartbeat_ns, static_cast<std::uint64_t>(since_boot.count()),
                     __ATOMIC_RELEASE);
}

void Datapath::set_grace(std::chrono::nanoseconds grace) const {
    __atomic_store_n(&maps_->control->daemon_grace_ns, static_cast<std::uint64_t>(grace.count()),
                     __ATOMIC_RELEASE);
}

void Datapath::report_suspects(std::chrono::milliseconds silence, std::uint32_t tries) const {
    const auto jiffies = static_cast<std::uint32_t>(silence.count() * jiffies_per_second() / 1000);
    store_relaxed(maps_->control->suspect_after, std::max(jiffies, 1U));
    store_relaxed(maps_->control->suspect_until, tries);
}

bool Datapath::swap_trip_budget(std::uint32_t& expected, std::uint32_t wanted) const {
    return __atomic_compare_exchange_n(&maps_->control->trip_budget, &expected, wanted, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

FailOpenCounts Datapath::fail_open() const {
    const ballast_counters& counters = maps_->counters[0];
    return {.destinations_full = counters.destinations_full,
            .reservations_full = counters.reservations_full,
            .daemon_silent = counters.daemon_silent,
            .disarmed = counters.disarmed,
            .retiring = counters.retiring,
            .consumers_full = counters.consumers_full,
            .shares_full = counters.shares_full,
            .rate_contended = counters.rate_contended,
            .timeouts_failed = counters.timeouts_failed};
}

BreakerLosses Datapath::breaker_losses() const {
    const ballast_counters& counters = maps_->counters[0];
    return {.breakers_full = counters.breakers_full,
            .events_lost = counters.events_lost,
            .trips_withheld = counters.trips_withheld};
}

std::uint64_t Datapath::keepalives_failed() const {
    return maps_->counters->keepalives_failed;
}

std::uint64_t Datapath::suspicions_lost() const {
    return maps_->counters->suspicions_lost;
}

} // namespace ballast::kernel
