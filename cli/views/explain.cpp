// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/format.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

/// Marks the governing target; one that governs for some consumers only gets another mark.
std::string format_mark(const Json& value) {
    if (value == "governs")
        return "=>";
    return value == "to_its_consumers" ? "->" : "";
}

Tone tone_of_mark(const Json& value) {
    return value == "governs" ? Tone::good : Tone::plain;
}

std::vector<Column> explain_columns() {
    return {
        {.key = "applies", .title = "", .format = format_mark, .tone = tone_of_mark},
        {.key = "target", .title = "TARGET", .format = format_text},
        {.key = "service", .title = "SERVICE", .format = format_text},
        {"from", "FROM", format_text, Align::left, true},
        {"mode", "MODE", format_text, Align::left, false, 2},
        {"breaker_mode", "BREAKER", format_text, Align::left, false, 3},
        {.key = "reason", .title = "REASON", .format = format_text},
        {"origin", "ORIGIN", format_text, Align::left, false, 1},
    };
}

/// The rows, with the name behind a target that comes from one: "10.0.0.5:5432 (db.internal)".
Json explain_rows(const Json& targets) {
    Json rows = targets;
    for (Json& row : rows)
        if (!row.at("name").is_null())
            row["target"] =
                fmt::format("{} ({})", format_text(row.at("target")), format_text(row.at("name")));
    return rows;
}

/// "10.0.0.5:5432 from /system.slice/a.service"
std::string asked_text(const Json& document) {
    std::string destination = format_text(document.at("destination"));
    if (document.at("from").is_null())
        return destination;
    return fmt::format("{} from {}", destination, format_text(document.at("from")));
}

std::string verdict_text(const Json& document) {
    const Json& governing = document.at("governing");
    if (!governing.is_null())
        return fmt::format("{} governs {}", format_text(governing), asked_text(document));
    if (document.at("from").is_null())
        return fmt::format("nobody governs {} for consumers that no from matches",
                           asked_text(document));
    return fmt::format("nobody governs {}", asked_text(document));
}

} // namespace

Table explain_view(const Json& document) {
    Table table(document, explain_rows(document.at("targets")), explain_columns());
    if (document.at("targets").empty()) {
        table.foot(fmt::format("no target covers {}: nothing is counted or refused",
                               format_text(document.at("destination"))));
        return table;
    }
    table.foot(fmt::format("{}: {}", list_footer(document, "target"), verdict_text(document)));
    return table;
}

} // namespace ballast::cli
