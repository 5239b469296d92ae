// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "cli/columns.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"
#include "daemon/model/columns/health.h"

namespace ballast::cli {
namespace {

/// A state with its reason, and what it means at 5 a.m.; an empty reason matches any.
struct Meaning {
    std::string_view state;
    std::string_view reason;
    std::string_view text;
};

constexpr std::array<Meaning, 10> kMeanings{{
    {"breaker open", "breaker_refusing",
     "too many connections failed: new ones are refused until probes succeed (ballast breaker "
     "list)"},
    {"breaker open", "forced_open",
     "somebody opened it: new connections are refused (ballast breaker list)"},
    {"unreachable", "", "no SYN is answered and nothing is established: peer or path is down"},
    {"over limit", "limit_refusing", "more in use than the limit: new connections are refused"},
    {"over limit", "limit_observed", "more in use than the limit; observing, so none is refused"},
    {"at limit", "limit_refusing", "every place is taken: new connections are refused"},
    {"at limit", "limit_observed", "every place is taken; observing, so none is refused"},
    {"retransmitting", "", "data is not acknowledged: loss, or a path that died"},
    {"drift", "", "reservations and sockets disagree; a sweep that sees it again repairs it"},
    {"near limit", "", "nine tenths of the places are taken"},
}};

Tone tone_of_state(const Json& value) {
    if (value == "ok")
        return Tone::good;
    if (value == "idle")
        return Tone::plain;
    const bool warning = value == "retransmitting" || value == "drift" || value == "near limit";
    return warning ? Tone::warn : Tone::bad;
}

std::vector<Column> health_columns() {
    auto columns = columns_of(kHealthColumns);
    column_at(columns, "state").tone = tone_of_state;
    return columns;
}

/// "1 unreachable, 2 at limit, 9 ok", worst first, as the document has them.
std::string state_counts_text(const Json& states) {
    std::string text;
    for (const auto& [state, count] : states.items())
        if (count != 0)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count.dump(), state);
    return text;
}

const Meaning* meaning_of(const Json& row) {
    const auto* found =
        std::find_if(kMeanings.begin(), kMeanings.end(), [&](const Meaning& meaning) {
            return row.at("state") == meaning.state &&
                   (meaning.reason.empty() || row.at("reason") == meaning.reason);
        });
    return found == kMeanings.end() ? nullptr : found;
}

/// One line for each state that calls for a look, in the order of the rows, and where to look on.
void add_meanings(Table& table, const Json& rows) {
    std::vector<const Meaning*> seen;
    for (const Json& row : rows) {
        const Meaning* meaning = meaning_of(row);
        if (meaning == nullptr || std::find(seen.begin(), seen.end(), meaning) != seen.end())
            continue;
        seen.push_back(meaning);
        table.foot(fmt::format("  {}: {}", meaning->state, meaning->text));
    }
    if (!seen.empty())
        table.foot(fmt::format("  sockets of the worst: ballast flows dest={}",
                               format_text(rows.at(0).at("endpoint"))));
}

/// How many there are of each state; on a line of its own when the table does not show them all.
void add_counts(Table& table, const Json& document) {
    const std::string counts = state_counts_text(document.at("states"));
    const std::string footer = list_footer(document, "destination");
    if (document.at("returned") == document.at("total"))
        return table.foot(fmt::format("{}: {}", footer, counts));
    table.foot(footer);
    table.foot(fmt::format("all {}: {}", document.at("total").dump(), counts));
}

std::string nothing_text(const std::string& what) {
    if (what.empty())
        return "no destinations: no outbound connection is open and none is governed";
    return fmt::format("no destination matches {}", what);
}

} // namespace

Table health_view(const Json& document, const std::string& what) {
    const Json& rows = document.at("destinations");
    Table table(document, rows, health_columns());
    if (!document.at("armed").get<bool>())
        table.lead("DISARMED: everything is counted and nothing refused (ballast arm ends that)");
    if (rows.empty()) {
        table.foot(nothing_text(what));
        return table;
    }
    add_counts(table, document);
    add_meanings(table, rows);
    return table;
}

} // namespace ballast::cli
