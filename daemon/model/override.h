// SPDX-License-Identifier: Apache-2.0
// Settings that an operator made by CLI on top of the policy files; kept in the store until unset
// or expired.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/model/policy.h"

namespace ballast {

/// How long an override may be set for.
inline constexpr std::chrono::milliseconds kMinOverride = std::chrono::seconds(1);
inline constexpr std::chrono::milliseconds kMaxOverride = std::chrono::hours(24 * 366);

/// Changes one service, or adds a service of its own for one endpoint. What is not named stays as
/// the policy has it.
struct Override {
    std::string target; ///< a service's name, or an endpoint as Endpoint::text() prints it
    std::optional<std::uint32_t> max_connections;       ///< 1..kMaxConnections
    std::optional<std::uint32_t> max_connections_total; ///< max_connections..kMaxConnections
    std::optional<std::uint32_t> max_per_consumer;      ///< 1..kMaxConnections
    std::optional<std::uint32_t> max_connect_rate;      ///< per second, 1..kMaxConnectRate
    std::optional<std::uint32_t> burst; ///< 1..kMaxConnectRate; needs a rate, here or in the policy
    std::optional<Mode> mode;
    std::optional<OnLimit> on_limit;
    std::string set_by; ///< user name, or "uid N" where there is none
    std::chrono::system_clock::time_point set_at;
    /// When it ends by itself; none: not before it is unset. Wall clock, against the rule for
    /// durations: it has to mean the same moment after a restart of the host, where the monotonic
    /// clock restarts, and people read it. A clock that is set shifts the end by as much.
    std::optional<std::chrono::system_clock::time_point> expires_at;

    /// True where it names neither a limit nor a mode nor what is answered.
    [[nodiscard]] bool changes_nothing() const;
    bool operator==(const Override&) const = default;
};

/// True from expires_at on.
bool has_expired(const Override& row, std::chrono::system_clock::time_point now);

struct OverridesByAge {
    std::vector<Override> live;
    std::vector<Override> expired;
    std::optional<std::chrono::system_clock::time_point> next; ///< when the first of `live` ends
};

/// Sorts out which overrides still hold; both lists keep their order.
OverridesByAge sort_out_expired(std::vector<Override> rows,
                                std::chrono::system_clock::time_point now);

} // namespace ballast
