// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

constexpr std::size_t kShownTargets = 3;

/// The first targets, and how many more there are.
std::string format_targets(const Json& value) {
    std::string text;
    for (std::size_t i = 0; i < value.size() && i < kShownTargets; ++i)
        text += fmt::format("{}{}", i == 0 ? "" : ", ", format_text(value.at(i)));
    if (value.size() > kShownTargets)
        text += fmt::format(", and {} more", value.size() - kShownTargets);
    return text;
}

std::vector<Column> limit_columns() {
    return {
        {.key = "service", .title = "SERVICE", .format = format_text},
        {.key = "max_connections", .title = "LIMIT", .format = format_count, .align = Align::right},
        {.key = "mode", .title = "MODE", .format = format_text},
        {"on_limit", "ON LIMIT", format_text, Align::left, false, 2},
        {.key = "to", .title = "TO", .format = format_targets},
        {"origin", "FROM", format_text, Align::left, false, 1},
    };
}

/// "max 20, mode enforce": what an override changes.
std::string changes_text(const Json& row) {
    std::string text;
    const auto add = [&](const char* key, const char* word) {
        if (const Json& value = row.at(key); !value.is_null())
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", word, format_text(value));
    };
    add("max_connections", "max");
    add("mode", "mode");
    add("on_limit", "on limit");
    return text;
}

std::string override_text(const Json& row) {
    return fmt::format("{}: {} (set by {} at {})", format_text(row.at("target")), changes_text(row),
                       format_text(row.at("set_by")), format_time(row.at("set_at")));
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
    Table table(document, document.at("limits"), limit_columns());
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
