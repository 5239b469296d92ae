// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/override_body.h"

#include <string>

#include <fmt/ranges.h>

#include "daemon/api/body.h"
#include "daemon/model/names.h"

namespace ballast::api {
namespace {

constexpr std::string_view kForm =
    R"(wanted: {"max_connections": N, "mode": "off|observe|enforce", )"
    R"("on_limit": "refused|again|unreachable"}, at least one of them)";

Result<void> set_max(Override& row, const Json& value) {
    if (!value.is_number_unsigned() || value < 1 || value > kMaxConnections)
        return fail(bad_value("max_connections", value,
                              fmt::format("a whole number from 1 to {}", kMaxConnections)));
    row.max_connections = value.get<std::uint32_t>();
    return {};
}

Result<void> set_mode(Override& row, const Json& value) {
    row.mode = value.is_string() ? parse_mode(value.get_ref<const std::string&>()) : std::nullopt;
    if (row.mode)
        return {};
    return fail(bad_value("mode", value, fmt::format("one of {}", fmt::join(kModeNames, ", "))));
}

Result<void> set_on_limit(Override& row, const Json& value) {
    row.on_limit =
        value.is_string() ? parse_on_limit(value.get_ref<const std::string&>()) : std::nullopt;
    if (row.on_limit)
        return {};
    return fail(
        bad_value("on_limit", value, fmt::format("one of {}", fmt::join(kOnLimitNames, ", "))));
}

Result<void> set_member(Override& row, const std::string& key, const Json& value) {
    if (key == "max_connections")
        return set_max(row, value);
    if (key == "mode")
        return set_mode(row, value);
    if (key == "on_limit")
        return set_on_limit(row, value);
    return fail(unknown_key(key, kForm));
}

} // namespace

Result<Override> parse_override_body(std::string_view body) {
    const auto json = parse_object(body, kForm);
    if (!json)
        return fail(json.error());
    Override row;
    for (const auto& [key, value] : json->items())
        if (auto set = set_member(row, key, value); !set)
            return fail(set.error());
    return row;
}

} // namespace ballast::api
