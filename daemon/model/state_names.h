// SPDX-License-Identifier: Apache-2.0
// The words of the API for directions, breakers and explanations; those for modes and failures are
// in daemon/model/names.h.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "daemon/model/explain.h"
#include "daemon/model/names.h"
#include "daemon/model/policy.h"
#include "daemon/model/snapshot.h"

namespace ballast {

/// Words in the order of the enumerators.
inline constexpr std::size_t kBreakerStates = 4;
inline constexpr std::array<std::string_view, kBreakerStates> kBreakerStateNames{
    "closed", "open", "half-open", "ramp"};
inline constexpr std::array<std::string_view, 4> kAppliesNames{"governs", "to_its_consumers",
                                                               "from_does_not_match", "shadowed"};

constexpr std::string_view name_of(Direction direction) {
    return direction == Direction::outbound ? "outbound" : "inbound";
}

constexpr std::optional<Direction> direction_named(std::string_view name) {
    if (name == name_of(Direction::outbound))
        return Direction::outbound;
    if (name == name_of(Direction::inbound))
        return Direction::inbound;
    return std::nullopt;
}

constexpr std::string_view name_of(BreakerState state) {
    return kBreakerStateNames.at(static_cast<std::size_t>(state));
}

constexpr std::optional<BreakerState> breaker_state_named(std::string_view name) {
    for (std::size_t i = 0; i < kBreakerStates; ++i)
        if (kBreakerStateNames.at(i) == name)
            return static_cast<BreakerState>(i);
    return std::nullopt;
}

constexpr std::string_view name_of(Applies applies) {
    return kAppliesNames.at(static_cast<std::size_t>(applies));
}

/// "open" or "closed"; "none" where the breaker decides itself.
constexpr std::string_view name_of(BreakerForce force) {
    if (force == BreakerForce::none)
        return "none";
    return force == BreakerForce::open ? "open" : "closed";
}

/// The states that an order may force: "open" or "closed".
constexpr std::optional<BreakerForce> force_named(std::string_view name) {
    for (const auto force : {BreakerForce::open, BreakerForce::closed})
        if (name_of(force) == name)
            return force;
    return std::nullopt;
}

} // namespace ballast
