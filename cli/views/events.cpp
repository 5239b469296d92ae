// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/columns.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"
#include "daemon/model/columns/finding.h"

namespace ballast::cli {
namespace {

Tone tone_of_severity(const Json& value) {
    if (value == "info")
        return Tone::good;
    return value == "warning" ? Tone::warn : Tone::bad;
}

/// "java[2301] orders.service".
std::string format_owner(const Json& value) {
    const std::string process =
        fmt::format("{}[{}]", format_text(value.at("comm")), value.at("pid").dump());
    return value.at("unit").is_null() ? process : process + " " + format_text(value.at("unit"));
}

std::vector<Column> event_columns() {
    auto columns = columns_of(kFindingColumns);
    column_at(columns, "severity").tone = tone_of_severity;
    column_at(columns, "owner").format = format_owner;
    return columns;
}

/// The meaning of a reason, and what to do if anything.
std::string sentence_of(const Json& reason) {
    const std::string advice = format_text(reason.at("advice"));
    return fmt::format("  {}: {}{}", format_text(reason.at("reason")),
                       format_text(reason.at("summary")),
                       advice == "Nothing" ? "" : fmt::format(". {}", advice));
}

std::string text_or_dash(const Json& value) {
    return value.is_null() ? "-" : format_text(value);
}

} // namespace

Table events_view(const Json& document) {
    Table table(document, document.at("findings"), event_columns());
    if (!document.at("whole").get<bool>())
        table.lead("earlier findings could not be read; ballastd's log says why");
    if (document.at("total") == 0) {
        table.foot("no findings");
        return table;
    }
    table.foot(list_footer(document, "finding"));
    for (const Json& reason : document.at("reasons"))
        table.foot(sentence_of(reason));
    return table;
}

std::string event_line(const Json& finding) {
    return fmt::format("{}  {:<8}  {:<18}  {:<21}  {:<12}  {}\n", format_time(finding.at("at")),
                       format_text(finding.at("severity")), format_text(finding.at("reason")),
                       text_or_dash(finding.at("destination")), text_or_dash(finding.at("service")),
                       format_text(finding.at("evidence")));
}

} // namespace ballast::cli
