// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "cli/columns.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"
#include "daemon/model/columns/port.h"

namespace ballast::cli {
namespace {

Tone tone_of_ports(const Json& value) {
    if (value == "ok")
        return Tone::good;
    return value == "exhausted" || value == "knee" ? Tone::bad : Tone::warn;
}

/// "[#####.....] 14116/28232".
std::string format_use(const Json& value) {
    constexpr std::uint64_t width = 10;
    const auto used = value.at("used").get<std::uint64_t>();
    const auto capacity = value.at("capacity").get<std::uint64_t>();
    const auto filled = capacity == 0 ? width : std::min(width, used * width / capacity);
    return fmt::format("[{}{}] {}/{}", std::string(filled, '#'), std::string(width - filled, '.'),
                       used, capacity);
}

/// "knee in 2m, full in 4m10s"; a guess has a "?".
std::string format_forecast(const Json& value) {
    const std::string doubt = value.at("confidence") == "low" ? "?" : "";
    std::string text;
    const auto add = [&](const char* what, const Json& ms) {
        if (ms.is_null())
            return;
        const auto time = ms.get<std::int64_t>();
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", what,
                            time == 0 ? "now" : fmt::format("in {}{}", human_ms(time), doubt));
    };
    add("knee", value.at("knee_ms"));
    add("full", value.at("wall_ms"));
    return text.empty() ? "-" : text;
}

std::vector<Column> port_columns() {
    auto columns = columns_of(kPortColumns);
    column_at(columns, "state").tone = tone_of_ports;
    column_at(columns, "ports").format = format_use;
    column_at(columns, "forecast").format = format_forecast;
    return columns;
}

/// The worst tuples' reliefs, one line each.
void add_reliefs(Table& table, const Json& rows) {
    constexpr int most = 3;
    int shown = 0;
    for (const Json& row : rows) {
        if (row.at("relief").is_null() || shown == most)
            break;
        table.foot(fmt::format("{} -> {}: {}", row.at("source").get<std::string>(),
                               row.at("endpoint").get<std::string>(),
                               row.at("relief").get<std::string>()));
        ++shown;
    }
}

/// What "uses" and "missed" count.
std::string uses_text(const std::string& relief, std::uint64_t uses, std::uint64_t missed) {
    if (uses + missed == 0)
        return "";
    if (relief == "flip")
        return fmt::format(", shifted {} times more", uses);
    if (relief == "reap")
        return fmt::format(", {} ended", uses);
    if (relief == "refuse")
        return fmt::format(", {} refused, {} found no port", uses, missed);
    return fmt::format(", {} connections, nothing for {}", uses, missed);
}

/// What Ballast does about it.
void add_in_force(Table& table, const Json& reliefs) {
    for (const Json& row : reliefs) {
        const auto relief = row.at("relief").get<std::string>();
        const std::string tuple =
            row.at("endpoint").is_null()
                ? ""
                : fmt::format(", {} -> {}", row.at("source").get<std::string>(),
                              row.at("endpoint").get<std::string>());
        table.foot(fmt::format("{}: in force for {} in network namespace {}{}{}", relief,
                               human_ms(row.at("age_ms")), row.at("netns").get<std::uint64_t>(),
                               tuple,
                               uses_text(relief, row.at("uses").get<std::uint64_t>(),
                                         row.at("missed").get<std::uint64_t>())));
    }
}

/// What is not among the rows, or could not be counted.
void add_gaps(Table& table, const Json& counted) {
    if (!counted.at("lacking").is_null())
        table.foot("local ports are not counted: " + counted.at("lacking").get<std::string>());
    if (counted.at("left_out").get<std::uint64_t>() != 0)
        table.foot(fmt::format("{} connections are left out: of tuples with fewer than {} each",
                               counted.at("left_out").get<std::uint64_t>(),
                               counted.at("least").get<std::uint64_t>()));
    if (counted.at("full").get<std::uint64_t>() != 0)
        table.foot(fmt::format("{} found no room in the tables and are not counted",
                               counted.at("full").get<std::uint64_t>()));
}

/// TIME_WAIT as such is no trouble.
std::string time_wait_text(const Json& document) {
    const auto& states = document.at("counted").at("states");
    const auto total = document.at("counted").at("time_wait").get<std::uint64_t>();
    const bool is_well = states.at("filling").get<std::uint64_t>() == 0 &&
                         states.at("knee").get<std::uint64_t>() == 0 &&
                         states.at("exhausted").get<std::uint64_t>() == 0;
    return fmt::format("{} sockets in TIME_WAIT on this host{}", total,
                       total != 0 && is_well ? ": no source is short of ports, so they do no harm"
                                             : "");
}

} // namespace

Table ports_view(const Json& document, const std::string& what) {
    Table table(document, document.at("ports"), port_columns());
    if (document.at("ports").empty() && !what.empty())
        table.foot(fmt::format("no connections to {} from ports of the range", harmless(what)));
    add_reliefs(table, document.at("ports"));
    add_in_force(table, document.at("reliefs"));
    add_gaps(table, document.at("counted"));
    const Json& age = document.at("age_ms");
    table.foot(fmt::format("{}, {}; {}", list_footer(document, "tuple"),
                           age.is_null() ? "not counted yet"
                                         : fmt::format("counted {} ago", human_ms(age)),
                           time_wait_text(document)));
    return table;
}

} // namespace ballast::cli
