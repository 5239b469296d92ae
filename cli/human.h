// SPDX-License-Identifier: Apache-2.0
// Values as people read them: short, with a unit, two figures of what matters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ballast::cli {

/// "850ms", "3.2s", "4m10s", "3h12m", "2d4h".
std::string human_ms(std::int64_t milliseconds);

/// "850us", "4.2ms", "120ms", then as human_ms.
std::string human_us(std::int64_t microseconds);

/// "1 destination", "3 destinations"; `one` takes an s.
std::string counted(std::uint64_t count, std::string_view one);

/// `text` with control characters, which could command the terminal, as '?'.
std::string harmless(std::string_view text);

} // namespace ballast::cli
