// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/table.h"

#include <fmt/format.h>

namespace ballast::sim {

namespace {

/// "0.2 · 12.3"
std::string cell(double lost_a_day, double probes) {
    return fmt::format(" {:.1f} · {:.1f} |", lost_a_day, probes);
}

std::string line(const Row& row) {
    std::string text = fmt::format("| {} | {:.0f} |", row.path, row.scores.front().lost_first_day);
    for (const Score& score : row.scores)
        text += cell(score.lost_a_day, score.probes);
    std::string better;
    for (const std::string& name : row.better_in_both(0))
        better += (better.empty() ? "" : ", ") + name;
    return text + fmt::format(" {} |\n", better.empty() ? "none" : better);
}

} // namespace

std::string table(const std::vector<Row>& rows) {
    std::string text = "| path | auto, day 1 |";
    for (const Policy& policy : policies())
        text += fmt::format(" {} |", policy.name);
    text += " better in both than auto |\n|---|---|";
    for (std::size_t i = 0; i < policies().size(); ++i)
        text += "---|";
    text += "---|\n";
    for (const Row& row : rows)
        text += line(row);
    return text;
}

} // namespace ballast::sim
