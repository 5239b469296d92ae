// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "cli/columns.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"
#include "daemon/model/columns/breaker.h"

namespace ballast::cli {
namespace {

/// A displayed state, and what it means at 5 a.m.
struct BreakerMeaning {
    std::string_view state;
    std::string_view text;
};

constexpr std::array<BreakerMeaning, 5> kBreakerMeanings{{
    {"forced open", "a person or the governor has it refuse (ballast breaker auto DEST ends that)"},
    {"open", "connects fail at once, until probes go out"},
    {"half-open", "probes are out: if they succeed it closes, if one fails it opens for longer"},
    {"ramp", "it has closed; the limit grows back"},
    {"forced closed",
     "a person or the governor has it let pass (ballast breaker auto DEST ends that)"},
}};

/// "5 timed_out, 1 refused"; null where nothing failed.
Json failures_text(const Json& failures) {
    std::string text;
    for (const auto& [kind, count] : failures.items())
        if (count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.dump(), kind);
    return text.empty() ? Json(nullptr) : Json(text);
}

Json forced_by_text(const Json& row) {
    if (row.at("forced_reason").is_null())
        return row.at("forced_by");
    const Json& by = row.at("forced_by");
    return fmt::format("{}: {}", by.is_null() ? "nobody" : by.get<std::string>(),
                       row.at("forced_reason").get<std::string>());
}

/// A row as it is shown: what is forced stands for the state, which then is what it would be else.
Json shown_row(const Json& row) {
    Json shown = row;
    shown["failures"] = failures_text(row.at("failures"));
    if (row.at("forced").is_null())
        return shown;
    shown["state"] = "forced " + row.at("forced").get<std::string>();
    shown["else"] = row.at("state");
    shown["since_ms"] = nullptr;
    shown["until_ms"] = row.at("forced_for_ms");
    shown["forced_by"] = forced_by_text(row);
    return shown;
}

Json shown_rows(const Json& rows) {
    Json shown = Json::array();
    for (const Json& row : rows)
        shown.push_back(shown_row(row));
    return shown;
}

Tone tone_of_breaker(const Json& value) {
    if (value == "closed")
        return Tone::good;
    return value == "open" || value == "forced open" ? Tone::bad : Tone::warn;
}

std::string format_until(const Json& value) {
    return value == 0 ? "due" : "in " + format_ms(value);
}

std::vector<Column> breaker_columns() {
    auto columns = columns_of(kBreakerColumns);
    column_at(columns, "state").tone = tone_of_breaker;
    auto& until = column_at(columns, "until_ms");
    until.format = format_until;
    until.align = Align::right;
    const auto forced_by = std::ranges::find(columns, "forced_by", &Column::key);
    columns.insert(forced_by, column_of("else", "ELSE", Format::text, 2, true));
    return columns;
}

/// "1 open, 2 closed; 1 of them forced closed", without what there is none of.
std::string breaker_counts_text(const Json& document) {
    std::string text;
    for (const char* state : {"open", "half-open", "ramp", "closed"})
        if (const Json& count = document.at("states").at(state); count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.dump(), state);
    for (const auto& [to, count] : document.at("forced").items())
        if (count != 0)
            text += fmt::format("; {} of them forced {}", count.dump(), to);
    return text;
}

/// How many there are of each state; on a line of its own when the table does not show them all.
void add_breaker_counts(Table& table, const Json& document) {
    const std::string footer = list_footer(document, "breaker");
    if (document.at("returned") == document.at("total"))
        return table.foot(fmt::format("{}: {}", footer, breaker_counts_text(document)));
    table.foot(footer);
    table.foot(
        fmt::format("all {}: {}", document.at("total").dump(), breaker_counts_text(document)));
}

bool any_row(const Json& rows, const char* key, std::string_view value) {
    return std::any_of(rows.begin(), rows.end(),
                       [&](const Json& row) { return row.at(key) == value; });
}

void add_breaker_meanings(Table& table, const Json& shown) {
    for (const BreakerMeaning& meaning : kBreakerMeanings)
        if (any_row(shown, "state", meaning.state))
            table.foot(fmt::format("  {}: {}", meaning.state, meaning.text));
    if (any_row(shown, "mode", "observe"))
        table.foot("  mode observe: what it would refuse is counted and let pass");
}

/// "10.0.0.5:443: forced open for 2h by root (uid 0): fail-over"
std::string order_text(const Json& order) {
    const std::string endpoint = format_text(order.at("endpoint"));
    if (order.at("force").is_null())
        return fmt::format("{}: its breaker decides itself again", endpoint);
    std::string text = fmt::format("{}: forced {}", endpoint, format_text(order.at("force")));
    if (!order.at("lasts_ms").is_null())
        text += fmt::format(" for {}", format_ms(order.at("lasts_ms")));
    text += fmt::format(" by {}", format_text(order.at("by")));
    if (!order.at("reason").is_null())
        text += fmt::format(": {}", format_text(order.at("reason")));
    return text;
}

/// Whom a breaker that does not enforce would surprise.
void warn_of_mode(Table& table, const Json& row) {
    if (row.at("mode") == "enforce")
        return;
    table.foot(fmt::format("  nothing is refused for {}: the mode of its breaker is {}",
                           row.at("service").is_null() ? "it" : format_text(row.at("service")),
                           format_text(row.at("mode"))));
}

} // namespace

Table breakers_view(const Json& document, const std::string& what) {
    const Json shown = shown_rows(document.at("breakers"));
    Table table(document, shown, breaker_columns());
    if (!document.at("armed").get<bool>())
        table.lead("DISARMED: everything is counted and nothing refused (ballast arm ends that)");
    if (shown.empty()) {
        table.foot(what.empty() ? "no breakers: nothing has failed and none is forced"
                                : fmt::format("no breaker matches {}", what));
        return table;
    }
    add_breaker_counts(table, document);
    add_breaker_meanings(table, shown);
    return table;
}

Table breaker_order_view(const Json& document) {
    const Json& order = document.at("order");
    Table table(document, Json::array(), {});
    table.foot(order_text(order));
    if (order.at("force") == "open")
        for (const Json& row : document.at("breakers"))
            warn_of_mode(table, row);
    if (!order.at("force").is_null())
        table.foot(
            fmt::format("  ballast breaker auto {} ends that", format_text(order.at("endpoint"))));
    return table;
}

} // namespace ballast::cli
