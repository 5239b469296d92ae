// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/status_parts.h"

namespace ballast::app {

FailOpenCounts fail_open_of(const ballast_counters& counters) {
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

BreakerLosses breaker_losses_of(const ballast_counters& counters) {
    return {.breakers_full = counters.breakers_full,
            .events_lost = counters.events_lost,
            .trips_withheld = counters.trips_withheld};
}

KeepaliveStatus keepalive_of(const ballast_counters& counters, KeepaliveStatus last) {
    last.failed = counters.keepalives_failed;
    return last;
}

} // namespace ballast::app
