// SPDX-License-Identifier: Apache-2.0
#include "cli/format.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

Tone tone_of_state(const Json& value) {
    return value == "ESTAB" ? Tone::good : Tone::warn;
}

std::vector<Column> flow_columns() {
    constexpr auto right = Align::right;
    return {
        {.key = "state", .title = "STATE", .format = format_text, .tone = tone_of_state},
        {.key = "remote", .title = "REMOTE", .format = format_text},
        {"local", "LOCAL", format_text, Align::left, false, 2},
        {"direction", "DIRECTION", format_text, Align::left, false, 1},
        {.key = "service", .title = "SERVICE", .format = format_text},
        {"reserved", "RESERVED", format_yes, Align::left, false, 4},
        {"retransmits", "RETRANS", format_nonzero, right},
        {"rtt_us", "RTT", format_us, right, false, 3},
        {"idle_ms", "IDLE", format_ms, right},
    };
}

} // namespace

Table flows_view(const Json& document) {
    Table table(document, document.at("flows"), flow_columns());
    table.foot(list_footer(document, "flow"));
    return table;
}

} // namespace ballast::cli
