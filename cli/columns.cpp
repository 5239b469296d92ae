// SPDX-License-Identifier: Apache-2.0
#include "cli/columns.h"

#include <algorithm>

#include "cli/format.h"

namespace ballast::cli {
namespace {

using Formatter = std::string (*)(const Json&);

Formatter formatter_of(Format format) {
    switch (format) {
    case Format::count:
        return format_count;
    case Format::nonzero:
        return format_nonzero;
    case Format::ms:
        return format_ms;
    case Format::us:
        return format_us;
    case Format::yes:
        return format_yes;
    case Format::time:
        return format_time;
    case Format::text:
    case Format::state:
    case Format::own:
        break;
    }
    return format_text;
}

/// Numbers stand on the right.
Align align_of(Format format) {
    const bool is_number = format == Format::count || format == Format::nonzero ||
                           format == Format::ms || format == Format::us;
    return is_number ? Align::right : Align::left;
}

} // namespace

Column column_of(std::string_view key, std::string_view title, Format format, int drop,
                 bool hide_if_blank) {
    return {.key = std::string(key),
            .title = std::string(title),
            .format = formatter_of(format),
            .align = align_of(format),
            .hide_if_blank = hide_if_blank,
            .drop = drop};
}

Column& column_at(std::vector<Column>& columns, std::string_view key) {
    return *std::ranges::find(columns, key, &Column::key);
}

} // namespace ballast::cli
