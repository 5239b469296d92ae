// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "cli/format.h"
#include "cli/human.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

using kernel::Answer;
using kernel::Probe;

std::string_view answer_name(Answer answer) {
    switch (answer) {
    case Answer::yes:
        return "yes";
    case Answer::no:
        return "no";
    case Answer::unknown:
        break;
    }
    return "unknown";
}

Json encode(const Probe& probe) {
    return {{"feature", probe.feature},
            {"answer", answer_name(probe.answer)},
            {"required", probe.required},
            {"cost_of_lacking", probe.cost_of_lacking},
            {"detail", probe.detail.empty() ? Json(nullptr) : Json(probe.detail)}};
}

Tone tone_of_answer(const Json& value) {
    if (value == "yes")
        return Tone::good;
    return value == "no" ? Tone::bad : Tone::warn;
}

std::string format_answer(const Json& value) {
    return value == "unknown" ? "could not tell" : value.get<std::string>();
}

std::string format_needed(const Json& value) {
    return value.get<bool>() ? "required" : "optional";
}

std::size_t lacking(const std::vector<Probe>& probes) {
    return static_cast<std::size_t>(
        std::count_if(probes.begin(), probes.end(), [](const Probe& probe) {
            return probe.required && probe.answer != Answer::yes;
        }));
}

Json document_of(const std::vector<Probe>& probes) {
    Json rows = Json::array();
    for (const Probe& probe : probes)
        rows.push_back(encode(probe));
    return {{"schema", 1},
            {"kind", "check"},
            {"total", rows.size()},
            {"returned", rows.size()},
            {"ready", lacking(probes) == 0},
            {"probes", rows}};
}

void add_details(Table& table, const std::vector<Probe>& probes) {
    for (const Probe& probe : probes)
        if (probe.answer != Answer::yes && !probe.detail.empty())
            table.foot(fmt::format("  {}: {}", harmless(probe.feature), harmless(probe.detail)));
}

std::string verdict(const std::vector<Probe>& probes) {
    const std::size_t missing = lacking(probes);
    if (missing == 0)
        return fmt::format("{}: this kernel has everything ballastd requires",
                           counted(probes.size(), "probe"));
    return fmt::format("{}: {} missing or not provable; ballastd would refuse to start",
                       counted(probes.size(), "probe"), counted(missing, "required feature"));
}

} // namespace

Table check_view(const std::vector<Probe>& probes) {
    const Json document = document_of(probes);
    Table table(
        document, document.at("probes"),
        {{.key = "answer", .title = "ANSWER", .format = format_answer, .tone = tone_of_answer},
         {.key = "feature", .title = "FEATURE", .format = format_text},
         {.key = "required", .title = "NEEDED", .format = format_needed},
         {.key = "cost_of_lacking", .title = "WITHOUT IT", .format = format_text}});
    table.foot(verdict(probes));
    add_details(table, probes);
    return table;
}

} // namespace ballast::cli
