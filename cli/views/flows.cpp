// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/columns.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"
#include "daemon/model/columns/flow.h"

namespace ballast::cli {
namespace {

Tone tone_of_flow(const Json& value) {
    return value == "ESTAB" ? Tone::good : Tone::warn;
}

/// "user timeout 20s": why it has not the keepalive that its service wishes; empty where it has.
std::string keepalive_obstacle(const Json& value) {
    const Json& why = value.at("why_not");
    if (why == "user_timeout")
        return "user timeout " + human_ms(value.at("user_timeout_ms"));
    if (why == "patience")
        return fmt::format("gives up in {}", human_ms(1000 * value.at("interval_s").get<long>() *
                                                      value.at("count").get<long>()));
    return {};
}

/// "57s ballast"; "-" where it is off, "no: user timeout 20s" where that is not as wished.
std::string format_keepalive(const Json& value) {
    if (value.is_null())
        return "-";
    const auto obstacle = keepalive_obstacle(value);
    if (!value.at("on").get<bool>())
        return obstacle.empty() ? "-" : "no: " + obstacle;
    return human_ms(value.at("idle_s").get<std::int64_t>() * 1000) + " " +
           value.at("set_by").get<std::string>() +
           (obstacle.empty() ? "" : fmt::format(" ({})", obstacle));
}

std::vector<Column> flow_columns() {
    auto columns = columns_of(kFlowColumns);
    column_at(columns, "state").tone = tone_of_flow;
    column_at(columns, "keepalive").format = format_keepalive;
    return columns;
}

} // namespace

Table flows_view(const Json& document) {
    Table table(document, document.at("flows"), flow_columns());
    const Json& age = document.at("age_ms");
    const auto left_out = document.at("left_out").get<std::uint64_t>();
    table.foot(fmt::format("{}, {}{}", list_footer(document, "flow"),
                           age.is_null() ? "before the first sweep"
                                         : fmt::format("seen {} ago", human_ms(age)),
                           left_out == 0 ? "" : fmt::format("; {} more are not kept", left_out)));
    return table;
}

} // namespace ballast::cli
