// SPDX-License-Identifier: Apache-2.0
// Parts of `status`, in the words of the model.
#pragma once

#include "bpf/abi.h"
#include "daemon/model/snapshot.h"

namespace ballast::app {

FailOpenCounts fail_open_of(const ballast_counters& counters);
BreakerLosses breaker_losses_of(const ballast_counters& counters);

/// `last`: of the last sweep, without failures.
KeepaliveStatus keepalive_of(const ballast_counters& counters, KeepaliveStatus last);

} // namespace ballast::app
