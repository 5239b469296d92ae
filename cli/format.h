// SPDX-License-Identifier: Apache-2.0
// Formats of a Column: a JSON value that is not null in, what people read out.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace ballast::cli {

using Json = nlohmann::ordered_json;

std::string format_text(const Json& value);    ///< a string; control characters as '?'
std::string format_count(const Json& value);   ///< an integer
std::string format_nonzero(const Json& value); ///< an integer; "-" for 0, so that others stand out
std::string format_ms(const Json& value);
std::string format_us(const Json& value);
std::string format_list(const Json& value); ///< strings: the first three, and how many more
std::string format_yes(const Json& value);  ///< "yes" for true, "-" for false
std::string
format_time(const Json& value); ///< RFC 3339 without its fraction: "2024-05-01 05:00:00Z"

} // namespace ballast::cli
