// SPDX-License-Identifier: Apache-2.0
// A table that people and programs read: one row here is a member of the API's JSON and, where it
// has a title, a column of the text that `ballast` prints.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ballast {

/// A single value as JSON has it; std::monostate is null, and stands for "none".
struct Scalar {
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, std::string> value;

    Scalar() = default;
    Scalar(bool flag) : value(flag) {}
    Scalar(std::int64_t number) : value(number) {}
    Scalar(std::uint64_t number) : value(number) {}
    Scalar(std::uint32_t number) : value(std::uint64_t{number}) {}
    Scalar(std::uint8_t number) : value(std::uint64_t{number}) {}
    Scalar(std::string text) : value(std::move(text)) {}
    Scalar(std::string_view text) : value(std::string(text)) {}
    Scalar(const char*) = delete; // would be a bool
    Scalar(std::chrono::milliseconds time) : value(std::int64_t{time.count()}) {}
    template <typename T>
    Scalar(const std::optional<T>& known) {
        if (known)
            *this = Scalar(*known);
    }
};

/// Of a cell that is an object.
struct Member {
    std::string_view key;
    Scalar value;
};

/// A value in a row: a scalar, or an object of scalars.
struct Cell {
    std::variant<Scalar, std::vector<Member>> value;

    Cell() = default;
    Cell(std::vector<Member> members) : value(std::move(members)) {}
    template <std::convertible_to<Scalar> T>
    Cell(T scalar) : value(Scalar(std::move(scalar))) {}
};

/// Null for empty text, and for 0.
inline Scalar unless_empty(std::string_view text) {
    return text.empty() ? Scalar() : Scalar(text);
}
inline Scalar unless_zero(std::uint64_t number) {
    return number == 0 ? Scalar() : Scalar(number);
}

/// A member of the row as it is, or null for empty text, or for 0.
template <auto Field, typename Row>
Cell field(const Row& row) {
    return row.*Field;
}
template <auto Field, typename Row>
Cell text_field(const Row& row) {
    return unless_empty(row.*Field);
}
template <auto Field, typename Row>
Cell nonzero_field(const Row& row) {
    return unless_zero(row.*Field);
}
/// The word for a member.
template <auto Field, typename Row>
Cell name_field(const Row& row) {
    return name_of(row.*Field);
}

/// How text shows a cell; null is "-".
enum class Format {
    text,
    count,
    nonzero, ///< "-" for 0, so that others stand out
    ms,
    us,
    yes,   ///< "-" for false
    time,  ///< RFC 3339 without its fraction
    state, ///< text, in a colour
    own,   ///< as its view says
};

template <typename Row>
struct ColumnOf {
    std::string_view key;
    Cell (*value)(const Row& row);
    std::string_view title = {}; ///< empty: JSON only
    Format format = Format::text;
    int drop = 0;               ///< on a narrow terminal the highest go first; 0: never
    bool hide_if_blank = false; ///< leave the column out when no row has other than 0 or "-"
};

} // namespace ballast
