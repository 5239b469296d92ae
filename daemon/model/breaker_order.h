// SPDX-License-Identifier: Apache-2.0
// An order by a person or the governor that forces the state of a destination's breaker.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "daemon/model/snapshot.h"

namespace ballast {

/// Bytes of an order's reason; the programs' table keeps no more.
inline constexpr std::size_t kMaxReasonBytes = 95;

struct BreakerOrder {
    Endpoint endpoint;
    BreakerForce force = BreakerForce::none;        ///< none: the breaker decides again
    std::string reason;                             ///< for people; may be empty
    std::optional<std::chrono::milliseconds> lasts; ///< none: until taken back
    std::string by;                                 ///< "root (uid 0)", "governor"

    bool operator==(const BreakerOrder&) const = default;
};

} // namespace ballast
