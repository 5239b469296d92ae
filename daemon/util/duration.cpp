// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "daemon/util/quote.h"

namespace ballast {
namespace {

using std::chrono::milliseconds;

struct Unit {
    std::string_view name;
    std::int64_t ms;
};

/// Longest first, as duration_text() wants them.
constexpr std::array<Unit, 5> kUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

constexpr std::int64_t kMaxMs = 36'500 * kUnits[0].ms;

Error not_a_duration(std::string_view text) {
    return Error(fmt::format(
        "{} is not a duration; wanted a whole number and ms, s, m, h or d, such as \"60s\"",
        in_quotes(text)));
}

} // namespace

std::string DurationRange::text() const {
    return fmt::format("{}{}..{}", zero_allowed ? "0, or " : "", duration_text(min),
                       duration_text(max));
}

Result<milliseconds> parse_duration(std::string_view text) {
    if (text == "0")
        return milliseconds{0};
    const char* const end = text.data() + text.size();
    std::uint64_t count = 0;
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc{})
        return fail(not_a_duration(text));
    const std::string_view suffix(stop, static_cast<std::size_t>(end - stop));
    const auto* const unit =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == suffix; });
    if (unit == kUnits.end())
        return fail(not_a_duration(text));
    if (count > static_cast<std::uint64_t>(kMaxMs / unit->ms))
        return fail(Error(fmt::format("{} is longer than 36500d", in_quotes(text))));
    return milliseconds{static_cast<std::int64_t>(count) * unit->ms};
}

Result<milliseconds> parse_duration(std::string_view text, const DurationRange& range) {
    auto duration = parse_duration(text);
    if (!duration)
        return duration;
    const bool zero = range.zero_allowed && *duration == milliseconds{0};
    if (!zero && (*duration < range.min || *duration > range.max))
        return fail(Error(fmt::format("{} is not in {}", in_quotes(text), range.text())));
    return duration;
}

std::string duration_text(milliseconds duration) {
    if (duration == milliseconds{0})
        return "0";
    const auto* const unit = std::find_if(
        kUnits.begin(), kUnits.end(), [&](const Unit& u) { return duration.count() % u.ms == 0; });
    return fmt::format("{}{}", duration.count() / unit->ms, unit->name);
}

} // namespace ballast
