// SPDX-License-Identifier: Apache-2.0
#include "cli/human.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::cli {
namespace {

constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

/// "4m10s", or "4m" where nothing of the smaller unit is left.
std::string two_units(std::int64_t value, std::int64_t large, char large_unit, std::int64_t small,
                      char small_unit) {
    const std::int64_t rest = value % large / small;
    if (rest == 0)
        return fmt::format("{}{}", value / large, large_unit);
    return fmt::format("{}{}{}{}", value / large, large_unit, rest, small_unit);
}

/// `value` / 1000 to one decimal, rounded down, without ".0".
std::string thousandth(std::int64_t value, std::string_view unit) {
    const std::int64_t tenths = value / 100;
    if (tenths % 10 == 0)
        return fmt::format("{}{}", tenths / 10, unit);
    return fmt::format("{}.{}{}", tenths / 10, tenths % 10, unit);
}

} // namespace

std::string human_ms(std::int64_t milliseconds) {
    if (milliseconds < kSecond)
        return fmt::format("{}ms", milliseconds);
    if (milliseconds < kMinute)
        return thousandth(milliseconds, "s");
    if (milliseconds < kHour)
        return two_units(milliseconds, kMinute, 'm', kSecond, 's');
    if (milliseconds < kDay)
        return two_units(milliseconds, kHour, 'h', kMinute, 'm');
    return two_units(milliseconds, kDay, 'd', kHour, 'h');
}

std::string human_us(std::int64_t microseconds) {
    if (microseconds < 1'000)
        return fmt::format("{}us", microseconds);
    if (microseconds < 100'000)
        return thousandth(microseconds, "ms");
    return human_ms(microseconds / 1'000);
}

std::string counted(std::uint64_t count, std::string_view one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string harmless(std::string_view text) {
    std::string shown(text);
    const auto commands = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    std::replace_if(shown.begin(), shown.end(), commands, '?');
    return shown;
}

} // namespace ballast::cli
