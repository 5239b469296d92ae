// SPDX-License-Identifier: Apache-2.0
// The known times of the path to a destination, or a measurement.
#pragma once

#include <chrono>
#include <optional>

#include "daemon/util/address.h"

namespace ballast {

struct PathReport {
    Endpoint path;
    std::optional<std::chrono::milliseconds> survived; ///< a connection lived through that silence
    std::optional<std::chrono::milliseconds> died;     ///< one was silently dropped in that
    /// Connections to any destination of that prefix; none: to this one.
    std::optional<Prefix> learned_in = {};

    bool operator==(const PathReport&) const = default;
};

} // namespace ballast
