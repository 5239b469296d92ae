// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

std::vector<Column> limit_columns() {
    constexpr auto left = Align::left;
    constexpr auto right = Align::right;
    return {
        {.key = "service", .title = "SERVICE", .format = format_text},
        {.key = "max_connections", .title = "LIMIT", .format = format_count, .align = right},
        {"max_connections_total", "TOTAL", format_count, right, true},
        {"max_per_consumer", "PER CONSUMER", format_count, right, true},
        {"max_connect_rate", "RATE/S", format_count, right, true},
        {"burst", "BURST", format_count, right, true, 5},
        {"connect_timeout_ms", "TIMEOUT", format_ms, right, true, 4},
        {.key = "mode", .title = "MODE", .format = format_text},
        {"on_limit", "ON LIMIT", format_text, left, false, 2},
        {"breaker_mode", "BREAKER", format_text, left, true, 3},
        {.key = "to", .title = "TO", .format = format_list},
        {"from", "FROM", format_list, left, true},
        {"origin", "ORIGIN", format_text, left, false, 1},
    };
}

/// The targets, with the name behind those that come from one: "10.0.0.5:5432 (db.internal)".
Json named_targets(const Json& row) {
    std::map<Json, Json> names;
    for (const Json& resolved : row.at("resolved"))
        names.emplace(resolved.at("target"), resolved.at("name"));
    Json targets = row.at("to");
    for (Json& target : targets)
        if (const auto found = names.find(target); found != names.end())
            target = fmt::format("{} ({})", format_text(target), format_text(found->second));
    return targets;
}

/// The rows as shown, with the modes of their breakers; without, where all have the default one.
Json limit_rows(const Json& limits) {
    const Json usual = "observe";
    const bool set = std::any_of(limits.begin(), limits.end(), [&](const Json& row) {
        return row.at("breaker").at("mode") != usual;
    });
    Json rows = limits;
    for (Json& row : rows) {
        row["to"] = named_targets(row);
        row["breaker_mode"] = set ? row.at("breaker").at("mode") : Json(nullptr);
    }
    return rows;
}

/// "max 20, mode enforce": what an override changes.
std::string changes_text(const Json& row) {
    std::string text;
    const auto add = [&](const char* key, const char* word) {
        if (const Json& value = row.at(key); !value.is_null())
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", word, format_text(value));
    };
    add("max_connections", "max");
    add("max_connections_total", "total");
    add("max_per_consumer", "per consumer");
    add("max_connect_rate", "rate");
    add("burst", "burst");
    add("mode", "mode");
    add("on_limit", "on limit");
    return text;
}

/// "; until 2024-05-01 07:00:00Z, 2h left"; nothing where it does not end by itself.
std::string expiry_text(const Json& row) {
    if (row.at("expires_at").is_null())
        return {};
    return fmt::format("; until {}, {} left", format_time(row.at("expires_at")),
                       format_ms(row.at("expires_in_ms")));
}

std::string override_text(const Json& row) {
    return fmt::format("{}: {} (set by {} at {}{})", format_text(row.at("target")),
                       changes_text(row), format_text(row.at("set_by")),
                       format_time(row.at("set_at")), expiry_text(row));
}

void add_overrides(Table& table, const Json& document) {
    const auto total = document.at("overrides_total").get<std::size_t>();
    const Json& overrides = document.at("overrides");
    if (total == 0)
        return;
    table.foot(
        fmt::format("{} (ballast limit unset TARGET removes one):", counted(total, "override")));
    for (const Json& row : overrides)
        table.foot("  " + override_text(row));
    if (overrides.size() < total)
        table.foot(
            fmt::format("  and {} more; --limit {} shows all", total - overrides.size(), total));
}

} // namespace

Table limits_view(const Json& document) {
    Table table(document, limit_rows(document.at("limits")), limit_columns());
    table.foot(list_footer(document, "service"));
    add_overrides(table, document);
    return table;
}

Table override_view(const Json& document) {
    Table table(document, Json::array(), {});
    table.foot("in force: " + override_text(document.at("override")));
    return table;
}

Table override_removed_view(const Json& document) {
    Table table(document, Json::array(), {});
    table.foot(fmt::format("override of {} removed; the policy file decides again",
                           format_text(document.at("target"))));
    return table;
}

} // namespace ballast::cli
