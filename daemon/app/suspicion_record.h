// SPDX-License-Identifier: Apache-2.0
// What the programs and sweeps report of flows, in the words of the model. Pure.
#pragma once

#include "bpf/abi.h"
#include "daemon/model/half_open.h"

namespace ballast::app {

/// hz: jiffies a second. The service is left empty.
Suspicion suspicion_of(const ballast_suspicion& record, std::uint32_t hz);

/// Without the interface that the socket is bound to, which sweeps do not tell.
FlowKey key_of(const ballast_flow& flow);

} // namespace ballast::app
