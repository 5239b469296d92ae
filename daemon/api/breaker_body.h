// SPDX-License-Identifier: Apache-2.0
// The body of PUT /v1/breakers/{endpoint}, validated whole before anything is changed. Pure.
#pragma once

#include <chrono>
#include <string_view>

#include "daemon/model/breaker_order.h"
#include "daemon/util/error.h"

namespace ballast::api {

/// Longest time after which an order ends by itself.
constexpr std::chrono::milliseconds kMaxOrder = std::chrono::hours(24 * 365);

/// {"force": "open|closed", "reason": "...", "lasts_ms": 1..kMaxOrder}: force is required, nothing
/// else is taken. A reason is printable, for it is logged. Endpoint and by are the caller's.
Result<BreakerOrder> parse_breaker_body(std::string_view body);

} // namespace ballast::api
