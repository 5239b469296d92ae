// SPDX-License-Identifier: Apache-2.0
// How "none" is written: null, whatever the model says it with.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string_view>

#include "daemon/api/json.h"
#include "daemon/model/column.h"

namespace ballast::api {

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

inline Json or_null(const std::optional<std::chrono::milliseconds>& time) {
    return time ? Json(time->count()) : Json(nullptr);
}

inline Json or_null(std::string_view text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json json_of(const Scalar& scalar);
Json json_of(const Cell& cell);

/// {"state": ..., ...}: a member for each column of the table.
template <typename Row, std::size_t N>
Json encode_row(const Row& row, const std::array<ColumnOf<Row>, N>& columns) {
    Json json = Json::object();
    for (const auto& column : columns)
        json[std::string(column.key)] = json_of(column.value(row));
    return json;
}

inline Json nonzero_or_null(std::uint32_t value) {
    return value == 0 ? Json(nullptr) : Json(value);
}

inline Json nonzero_or_null(std::chrono::milliseconds time) {
    return time.count() == 0 ? Json(nullptr) : Json(time.count());
}

} // namespace ballast::api
