// SPDX-License-Identifier: Apache-2.0
// Durations as people write them: a whole number and one unit.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "daemon/util/error.h"

namespace ballast {

/// Inclusive bounds of a setting.
struct DurationRange {
    std::chrono::milliseconds min;
    std::chrono::milliseconds max;
    bool zero_allowed = false; ///< 0 is accepted although it is below `min`

    /// "1s..1d", or "0, or 1s..1d".
    [[nodiscard]] std::string text() const;
};

/// Parses digits and one of ms, s, m, h, d ("250ms", "5m"), or a bare "0". Nothing else: no sign,
/// fraction, blank or second unit. At most 36,500 days.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// parse_duration() and a check against `range`; the error names the accepted values.
Result<std::chrono::milliseconds> parse_duration(std::string_view text, const DurationRange& range);

/// The shortest text that parses back to `duration` (not negative): "90s", "5m", "1d", "0".
std::string duration_text(std::chrono::milliseconds duration);

} // namespace ballast
