// SPDX-License-Identifier: Apache-2.0
// The text's columns, of the rows that the API's JSON has too (daemon/model/columns).
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "cli/table.h"
#include "daemon/model/column.h"

namespace ballast::cli {

/// One of them.
Column column_of(std::string_view key, std::string_view title, Format format, int drop,
                 bool hide_if_blank);

/// Those that have a title, in their order.
template <typename Row, std::size_t N>
std::vector<Column> columns_of(const std::array<ColumnOf<Row>, N>& rows) {
    std::vector<Column> columns;
    for (const auto& row : rows)
        if (!row.title.empty())
            columns.push_back(
                column_of(row.key, row.title, row.format, row.drop, row.hide_if_blank));
    return columns;
}

/// The column of that key, which must be there, for a view to change.
Column& column_at(std::vector<Column>& columns, std::string_view key);

} // namespace ballast::cli
