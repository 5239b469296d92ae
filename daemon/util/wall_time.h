// SPDX-License-Identifier: Apache-2.0
// Times of the wall clock as people and programs write them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "daemon/util/error.h"

namespace ballast {

/// "2024-05-01T05:00:00.250Z"; no time before 1970 nor after 9999.
std::string rfc3339(std::chrono::system_clock::time_point time);

/// RFC 3339 section 5.6: "2024-05-01T05:00:00Z", with a fraction and an offset from UTC as one
/// likes
/// ("2024-05-01T07:00:00.25+02:00"); T and Z in either case. From 1970 to 2199, which every file of
/// ours can hold; no leap second. A fraction finer than nanoseconds is cut.
Result<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text);

} // namespace ballast
