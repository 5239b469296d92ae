// SPDX-License-Identifier: Apache-2.0
// What the sweep emits, in the words of the model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi.h"
#include "daemon/model/snapshot.h"

namespace ballast::kernel {

/// Ticks a second of the kernel's jiffies: CLOCK_MONOTONIC_COARSE advances once per tick and
/// reports that as its resolution (kernel/time/posix-timers.c), so no kernel configuration is
/// needed.
std::uint32_t jiffies_per_second();

/// The name `ss` gives to a kernel TCP state (include/net/tcp_states.h).
std::string_view state_name(std::uint8_t state);

Endpoint remote_of(const ballast_flow& flow);
Endpoint local_of(const ballast_flow& flow);

/// Milliseconds since anything was received; saturates.
std::uint32_t idle_ms(const ballast_flow& flow, std::uint32_t hz);

FlowRow to_row(const ballast_flow& flow, const std::string& service, std::uint32_t hz);

} // namespace ballast::kernel
