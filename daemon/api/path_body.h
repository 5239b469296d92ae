// SPDX-License-Identifier: Apache-2.0
// The body of PUT /v1/paths/{endpoint}. Pure.
#pragma once

#include <string_view>

#include "daemon/model/path_report.h"
#include "daemon/util/error.h"

namespace ballast::api {

/// Silences that say something of a path.
inline constexpr std::chrono::milliseconds kShortestSilence{2'000};
inline constexpr std::chrono::milliseconds kLongestSilence{std::chrono::hours(24 * 30)};

/// A JSON object with survived_ms, died_ms or both; the report has no endpoint yet. The error names
/// the member and what is accepted.
Result<PathReport> parse_path_body(std::string_view body);

} // namespace ballast::api
