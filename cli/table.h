// SPDX-License-Identifier: Apache-2.0
// The one thing every verb prints: a document with rows, built once, printed as text or as JSON.
// Pure: the caller knows the terminal and passes in what it is.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace ballast::cli {

using Json = nlohmann::ordered_json;

/// Only cells that show a state have one; it becomes a colour on a terminal.
enum class Tone { plain, good, warn, bad };

enum class Align { left, right };

struct Column {
    std::string key; ///< member of the row; null, empty lists and what is missing are shown as "-"
    std::string title;
    std::string (*format)(const Json& value);
    Align align = Align::left;
    bool hide_if_blank = false; ///< leave the column out when no row has other than 0 or "-"
    int drop = 0; ///< on a narrow terminal columns with the highest go first; 0: never
    Tone (*tone)(const Json& value) = nullptr;
};

/// How text is laid out.
struct TextStyle {
    bool colour = false;
    std::size_t width = 0; ///< of the terminal in columns; 0: no terminal, lines of any length
};

class Table {
public:
    /// `document` is what is printed as JSON; `rows` (an array of objects, usually a member of the
    /// document) is what becomes lines of text.
    Table(Json document, Json rows, std::vector<Column> columns);

    /// A line above the table; several stand in the order they were added.
    void lead(std::string line) { leads_.push_back(std::move(line)); }
    /// A line below it.
    void foot(std::string line) { feet_.push_back(std::move(line)); }

    /// Ends with a newline, as does json().
    [[nodiscard]] std::string text(const TextStyle& style) const;
    [[nodiscard]] std::string json() const;

private:
    Json document_;
    Json rows_;
    std::vector<Column> columns_;
    std::vector<std::string> leads_;
    std::vector<std::string> feet_;
};

/// "20 destinations" when all are shown, else "12 of 20 destinations; --limit 20 shows all".
std::string list_footer(const Json& document, const std::string& one);

} // namespace ballast::cli
