// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "cli/human.h"

namespace ballast::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kMaxListLimit = 10'000;

struct Cell {
    std::string text;
    Tone tone = Tone::plain;
};

/// A column with its cells and the room it takes.
struct Strip {
    const Column* column = nullptr;
    std::vector<Cell> cells;
    std::size_t width = 0;
};

bool is_nothing(const Json& value) {
    return value.is_null() || (value.is_array() && value.empty());
}

Cell cell_of(const Column& column, const Json& row) {
    const auto found = row.find(column.key);
    if (found == row.end() || is_nothing(*found))
        return {"-"};
    return {column.format(*found), column.tone != nullptr ? column.tone(*found) : Tone::plain};
}

bool is_blank(const Column& column, const Json& rows) {
    return std::all_of(rows.begin(), rows.end(), [&](const Json& row) {
        const auto found = row.find(column.key);
        return found == row.end() || is_nothing(*found) || *found == 0;
    });
}

Strip strip_of(const Column& column, const Json& rows) {
    Strip strip{&column, {}, column.title.size()};
    for (const Json& row : rows) {
        strip.cells.push_back(cell_of(column, row));
        strip.width = std::max(strip.width, strip.cells.back().text.size());
    }
    return strip;
}

std::vector<Strip> strips_of(const std::vector<Column>& columns, const Json& rows) {
    std::vector<Strip> strips;
    for (const Column& column : columns)
        if (!column.hide_if_blank || !is_blank(column, rows))
            strips.push_back(strip_of(column, rows));
    return strips;
}

std::size_t line_width(const std::vector<Strip>& strips) {
    return std::accumulate(
        strips.begin(), strips.end(), std::size_t{0},
        [](std::size_t sum, const Strip& strip) { return sum + strip.width + kGap; });
}

/// Takes columns out until a line fits; returns their titles.
std::vector<std::string> drop_to_fit(std::vector<Strip>& strips, std::size_t width) {
    std::vector<std::string> dropped;
    while (width != 0 && line_width(strips) > width + kGap) {
        const auto first =
            std::max_element(strips.begin(), strips.end(), [](const Strip& a, const Strip& b) {
                return a.column->drop < b.column->drop;
            });
        if (first == strips.end() || first->column->drop == 0)
            break;
        dropped.push_back(first->column->title);
        strips.erase(first);
    }
    return dropped;
}

std::string_view colour_of(Tone tone) {
    switch (tone) {
    case Tone::good:
        return "\033[32m";
    case Tone::warn:
        return "\033[33m";
    case Tone::bad:
        return "\033[1;31m";
    case Tone::plain:
        break;
    }
    return "";
}

/// Appends one cell padded to its column; padding stays outside the colour.
void append(std::string& line, const Cell& cell, const Strip& strip, bool colour) {
    const std::string padding(strip.width - cell.text.size(), ' ');
    const std::string_view start = colour ? colour_of(cell.tone) : "";
    if (strip.column->align == Align::right)
        line += padding;
    line += fmt::format("{}{}{}", start, cell.text, start.empty() ? "" : "\033[0m");
    if (strip.column->align == Align::left)
        line += padding;
    line += std::string(kGap, ' ');
}

std::string trimmed(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line + '\n';
}

std::string title_line(const std::vector<Strip>& strips) {
    std::string line;
    for (const Strip& strip : strips)
        append(line, {strip.column->title}, strip, false);
    return trimmed(line);
}

std::string row_line(const std::vector<Strip>& strips, std::size_t row, bool colour) {
    std::string line;
    for (const Strip& strip : strips)
        append(line, strip.cells.at(row), strip, colour);
    return trimmed(line);
}

} // namespace

Table::Table(Json document, Json rows, std::vector<Column> columns)
    : document_(std::move(document)), rows_(std::move(rows)), columns_(std::move(columns)) {}

std::string Table::text(const TextStyle& style) const {
    std::string out;
    for (const std::string& line : leads_)
        out += line + '\n';
    auto strips = strips_of(columns_, rows_);
    const auto dropped = drop_to_fit(strips, style.width);
    if (!rows_.empty())
        out += title_line(strips);
    for (std::size_t row = 0; row < rows_.size(); ++row)
        out += row_line(strips, row, style.colour);
    for (const std::string& line : feet_)
        out += line + '\n';
    if (!dropped.empty() && !rows_.empty())
        out += fmt::format("not shown for lack of room: {}\n", fmt::join(dropped, ", "));
    return out;
}

std::string Table::json() const {
    return document_.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string list_footer(const Json& document, const std::string& one) {
    const auto total = document.value("total", std::size_t{0});
    const auto returned = document.value("returned", std::size_t{0});
    if (returned == total)
        return counted(total, one);
    if (returned >= kMaxListLimit)
        return fmt::format("{} of {}; no more can be shown at once", returned, counted(total, one));
    if (total > kMaxListLimit)
        return fmt::format("{} of {}; --limit {} shows most", returned, counted(total, one),
                           kMaxListLimit);
    return fmt::format("{} of {}; --limit {} shows all", returned, counted(total, one), total);
}

} // namespace ballast::cli
