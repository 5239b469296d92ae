// SPDX-License-Identifier: Apache-2.0
// The words of the API for directions; those for modes are in daemon/model/names.h.
#pragma once

#include <optional>
#include <string_view>

#include "daemon/model/snapshot.h"

namespace ballast::api {

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

} // namespace ballast::api
