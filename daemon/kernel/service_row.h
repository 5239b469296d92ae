// SPDX-License-Identifier: Apache-2.0
// A service as map `services` holds it, there and back. Pure.
#pragma once

#include <cstdint>

#include "bpf/abi.h"
#include "daemon/model/policy.h"

namespace ballast::kernel {

/// `id` is its stable service id. Limits whose mode is off limit nothing, though the breaker beside
/// them may work.
ballast_service to_row(const Service& service, std::uint16_t id);

/// The service in `row`: all but name, targets, `from`, `half_open` and origin. Limits of a
/// service whose mode is off are gone. A rate comes back as the kernel applies it: the one that its
/// interval, whole nanoseconds, amounts to; up to 31,622 a second that is the one that was set. The
/// burst is always named.
Service from_row(const ballast_service& row);

} // namespace ballast::kernel
