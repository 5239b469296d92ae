// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/override_body.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include <fmt/ranges.h>

#include "daemon/api/body.h"
#include "daemon/model/names.h"

namespace ballast::api {
namespace {

constexpr std::string_view kOverrideForm =
    R"(wanted: {"max_connections": N, "max_connections_total": N, "max_per_consumer": N, )"
    R"("max_connect_rate": N, "burst": N, "mode": "off|observe|enforce", )"
    R"("on_limit": "refused|again|unreachable"}, at least one of them; and "lasts_ms": N)";

struct Limit {
    std::string_view key;
    std::optional<std::uint32_t> Override::*field;
    std::uint32_t max;
};

constexpr std::array<Limit, 5> kLimits{{
    {"max_connections", &Override::max_connections, kMaxConnections},
    {"max_connections_total", &Override::max_connections_total, kMaxConnections},
    {"max_per_consumer", &Override::max_per_consumer, kMaxConnections},
    {"max_connect_rate", &Override::max_connect_rate, kMaxConnectRate},
    {"burst", &Override::burst, kMaxConnectRate},
}};

Result<void> set_limit(Override& row, const Limit& limit, const Json& value) {
    if (!value.is_number_unsigned() || value < 1 || value > limit.max)
        return fail(
            bad_value(limit.key, value, fmt::format("a whole number from 1 to {}", limit.max)));
    row.*limit.field = value.get<std::uint32_t>();
    return {};
}

Result<void> set_lasts(Override& row, const Json& value, WallTime now) {
    if (!value.is_number_unsigned() || value < kMinOverride.count() || value > kMaxOverride.count())
        return fail(bad_value("lasts_ms", value,
                              fmt::format("a whole number from {} to {}", kMinOverride.count(),
                                          kMaxOverride.count())));
    row.expires_at = now + std::chrono::milliseconds(value.get<std::int64_t>());
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

Result<void> set_member(Override& row, const std::string& key, const Json& value, WallTime now) {
    for (const Limit& limit : kLimits)
        if (key == limit.key)
            return set_limit(row, limit, value);
    if (key == "mode")
        return set_mode(row, value);
    if (key == "on_limit")
        return set_on_limit(row, value);
    if (key == "lasts_ms")
        return set_lasts(row, value, now);
    return fail(unknown_key(key, kOverrideForm));
}

} // namespace

Result<Override> parse_override_body(std::string_view body, WallTime now) {
    const auto json = parse_object(body, kOverrideForm);
    if (!json)
        return fail(json.error());
    Override row;
    for (const auto& [key, value] : json->items())
        if (auto set = set_member(row, key, value, now); !set)
            return fail(set.error());
    if (row.changes_nothing())
        return fail(Error("the body changes nothing").hint(std::string(kOverrideForm)));
    if (row.max_connections && row.max_connections_total &&
        *row.max_connections_total < *row.max_connections)
        return fail(Error(fmt::format("max_connections_total: {} is below max_connections, {}",
                                      *row.max_connections_total, *row.max_connections)));
    return row;
}

} // namespace ballast::api
