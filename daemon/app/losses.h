// SPDX-License-Identifier: Apache-2.0
// What the programs had to let pass or could not tell, as a status shows it.
#pragma once

#include "bpf/abi.h"
#include "daemon/model/snapshot.h"

namespace ballast::app {

inline void add_losses(DaemonStatus& status, const ballast_counters& counters) {
    status.fail_open = {.destinations_full = counters.destinations_full,
                        .reservations_full = counters.reservations_full,
                        .daemon_silent = counters.daemon_silent,
                        .disarmed = counters.disarmed,
                        .retiring = counters.retiring,
                        .consumers_full = counters.consumers_full,
                        .shares_full = counters.shares_full,
                        .rate_contended = counters.rate_contended,
                        .timeouts_failed = counters.timeouts_failed};
    status.breaker_losses = {.breakers_full = counters.breakers_full,
                             .events_lost = counters.events_lost,
                             .trips_withheld = counters.trips_withheld};
}

} // namespace ballast::app
