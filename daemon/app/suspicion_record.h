// SPDX-License-Identifier: Apache-2.0
// What the programs and sweeps report of flows, in the words of the model. Pure.
#pragma once

#include "bpf/abi.h"
#include "daemon/model/half_open.h"

namespace ballast::app {

/// hz: jiffies a second. The service is left empty.
Suspicion suspicion_of(const ballast_suspicion& record, std::uint32_t hz);

FlowKey key_of(const ballast_flow& flow);

/// Of a flow that a sweep met at `now` with keepalive probes unanswered (BALLAST_FLOW_PROBING): it
/// sent the last of them some time since it was last heard of. The service is left empty.
Suspicion suspicion_of(const ballast_flow& flow, std::uint32_t hz,
                       std::chrono::steady_clock::time_point now);

} // namespace ballast::app
