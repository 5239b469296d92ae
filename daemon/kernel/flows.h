// SPDX-License-Identifier: Apache-2.0
// Flow records of the programs, in the terms of the model. Pure, but for the clock's tick.
#pragma once

#include <cstdint>

#include "bpf/abi.h"
#include "daemon/model/half_open.h"
#include "daemon/model/swept_flow.h"

namespace ballast::kernel {

/// Ticks a second of the kernel's jiffies: CLOCK_MONOTONIC_COARSE advances once per tick and
/// reports that as its resolution (kernel/time/posix-timers.c), so no kernel configuration is
/// needed.
std::uint32_t jiffies_per_second();

/// hz: jiffies a second.
SweptFlow to_model(const ballast_flow& flow, std::uint32_t hz);

/// The service is left empty: record.service is what the maps call it.
Suspicion to_model(const ballast_suspicion& record, std::uint32_t hz);

} // namespace ballast::kernel
