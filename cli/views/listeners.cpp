// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "cli/columns.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"
#include "daemon/model/columns/listener.h"

namespace ballast::cli {
namespace {

Tone tone_of_listener(const Json& value) {
    if (value == "ok")
        return Tone::good;
    return value == "burst" || value == "flood" ? Tone::warn : Tone::bad;
}

/// "[#####.....] 64/128".
std::string format_queue(const Json& value) {
    constexpr std::uint64_t width = 10;
    const auto depth = value.at("depth").get<std::uint64_t>();
    const auto limit = value.at("limit").get<std::uint64_t>();
    const auto filled =
        limit == 0 ? (depth == 0 ? 0 : width) : std::min(width, depth * width / limit);
    return fmt::format("[{}{}] {}/{}", std::string(filled, '#'), std::string(width - filled, '.'),
                       depth, limit);
}

std::vector<Column> listener_columns() {
    auto columns = columns_of(kListenerColumns);
    column_at(columns, "state").tone = tone_of_listener;
    column_at(columns, "queue").format = format_queue;
    return columns;
}

/// Those whose queue somaxconn may have made shorter, where that mattered.
void add_clipped(Table& table, const Json& rows) {
    for (const Json& row : rows)
        if (row.at("clipped").get<bool>() && row.at("overflows").get<std::uint64_t>() != 0)
            table.foot(fmt::format(
                "{}: its limit is net.core.somaxconn of its network namespace, {}: the program may "
                "have asked for more; a change takes effect at its next listen()",
                row.at("endpoint").get<std::string>(), row.at("somaxconn").get<std::uint64_t>()));
}

/// "age 30, rate 1", of what is not 0.
std::string reasons_of(const Json& shed) {
    std::string text;
    for (const auto& [reason, count] : shed.items())
        if (count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", reason,
                                count.get<std::uint64_t>());
    return text;
}

/// "web, enforce: 120 SYNs admitted, 31 refused (age 30, rate 1), 4 spared".
std::string rule_text(const Json& rule) {
    const auto number = [&](const char* key) { return rule.at(key).get<std::uint64_t>(); };
    std::uint64_t shed = 0;
    for (const auto& [reason, count] : rule.at("shed").items())
        shed += count.get<std::uint64_t>();
    auto text = fmt::format("{}, {}: {} SYNs admitted, {} refused",
                            rule.at("name").get<std::string>(), rule.at("mode").get<std::string>(),
                            number("admitted") + number("withheld"), shed - number("withheld"));
    if (number("withheld") != 0)
        text += fmt::format(", {} would have been", number("withheld"));
    if (shed != 0)
        text += " (" + reasons_of(rule.at("shed")) + ")";
    return text + fmt::format(", {} spared", number("spared"));
}

void add_rules(Table& table, const Json& shed) {
    for (const Json& rule : shed.at("rules"))
        table.foot(rule_text(rule));
}

void add_devices(Table& table, const Json& shed) {
    for (const Json& device : shed.at("devices")) {
        std::string chain;
        for (const Json& link : device.at("chain"))
            chain += (chain.empty() ? "" : " > ") + harmless(link.get<std::string>());
        const bool is_attached = device.at("attached").get<bool>();
        table.foot(fmt::format("{}: {}", harmless(device.at("name").get<std::string>()),
                               is_attached ? chain
                               : device.at("error").is_null()
                                   ? "detached"
                                   : "not attached: " + device.at("error").get<std::string>()));
    }
}

} // namespace

Table listeners_view(const Json& document, const std::string& what) {
    Table table(document, document.at("listeners"), listener_columns());
    if (document.at("listeners").empty() && !what.empty())
        table.foot(fmt::format("nobody listens on {}", harmless(what)));
    add_clipped(table, document.at("listeners"));
    const Json& watched = document.at("watched");
    if (!watched.at("lacking").is_null())
        table.foot("listeners are not watched: " + watched.at("lacking").get<std::string>());
    if (watched.at("full").get<std::uint64_t>() != 0)
        table.foot(fmt::format("{} found no room and are not shown",
                               watched.at("full").get<std::uint64_t>()));
    if (what.empty()) {
        add_rules(table, document.at("shed"));
        add_devices(table, document.at("shed"));
    }
    const Json& age = document.at("age_ms");
    table.foot(
        fmt::format("{}, {}", list_footer(document, "listener"),
                    age.is_null() ? "not read yet" : fmt::format("read {} ago", human_ms(age))));
    return table;
}

} // namespace ballast::cli
