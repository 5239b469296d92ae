// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/datapath.h"

#include <algorithm>

#include "bpf/lib/atomic.h"
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

void Datapath::report_sleep(std::chrono::steady_clock::time_point now) const {
    const std::chrono::nanoseconds since_boot = now.time_since_epoch();
    __atomic_store_n(&maps_->control->slept_ns, static_cast<std::uint64_t>(since_boot.count()),
                     __ATOMIC_RELEASE);
}

bool Datapath::swap_trip_budget(std::uint32_t& expected, std::uint32_t wanted) const {
    return __atomic_compare_exchange_n(&maps_->control->trip_budget, &expected, wanted, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

Counters Datapath::counters() const {
    const ballast_counters& words = maps_->counters[0];
    Counters counters;
#define BALLAST_ROW(name, group, help) counters[Counter::name] = BALLAST_LOAD(words.name);
    BALLAST_COUNTERS(BALLAST_ROW)
#undef BALLAST_ROW
    return counters;
}

} // namespace ballast::kernel
