// SPDX-License-Identifier: Apache-2.0
// What an operator set by CLI on top of the policy files; kept in the store until unset.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/model/policy.h"

namespace ballast {

/// Changes one service, or adds a service of its own for one endpoint. What is not named stays as
/// the policy has it (service) or takes the default (endpoint).
struct Override {
    std::string target; ///< a service's name, or an endpoint as Endpoint::text() prints it
    std::optional<std::uint32_t> max_connections; ///< 1..kMaxConnections
    std::optional<Mode> mode;
    std::optional<OnLimit> on_limit;
    std::string set_by; ///< user name, or "uid N" where there is none
    std::chrono::system_clock::time_point set_at;

    bool operator==(const Override&) const = default;
};

} // namespace ballast
