// SPDX-License-Identifier: Apache-2.0
// What somebody measured of the path to a destination.
#pragma once

#include <chrono>
#include <optional>

#include "daemon/util/address.h"

namespace ballast {

struct PathReport {
    Endpoint path;
    std::optional<std::chrono::milliseconds> survived; ///< a connection lived through that silence
    std::optional<std::chrono::milliseconds> died;     ///< one was silently dropped in that

    bool operator==(const PathReport&) const = default;
};

} // namespace ballast
