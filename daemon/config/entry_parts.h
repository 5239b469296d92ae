// SPDX-License-Identifier: Apache-2.0
// What entries of a policy have in common: a name, and arrays of strings.
#pragma once

#include <string>
#include <string_view>

#include "daemon/config/table_reader.h"

namespace ballast {

/// The key `name` of a `what`, "service"; empty: it is missing or wrong, which is reported.
std::string read_name(const TableReader& reader, std::string_view what);

/// Calls `read(text, node)` for each string of the array `key`; reports what is no string, and an
/// array that is empty.
template <typename Read>
void read_strings(const TableReader& reader, std::string_view key, std::string_view wanted,
                  const Read& read) {
    const auto* array = reader.array(key, wanted);
    if (array == nullptr)
        return;
    if (array->empty())
        reader.problem(key, std::string("empty; wanted ").append(wanted));
    for (const toml::node& node : *array) {
        if (const auto* text = node.as_string())
            read(text->get(), node);
        else
            reader.problem_at(node, key, described(node) + " is not a string");
    }
}

} // namespace ballast
