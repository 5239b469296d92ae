// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/breaker/breaker_entry.h"

#include <algorithm>
#include <cmath>

#include "daemon/model/names.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr DurationRange kWindow{1s, 10min};
constexpr DurationRange kConnectTime{1ms, 5min, true};
constexpr DurationRange kOpenFor{100ms, 1h};
constexpr DurationRange kOpenMax{100ms, 24h};
constexpr DurationRange kRamp{100ms, 1h, true};

constexpr std::uint16_t kMaxThreshold = 65535;
constexpr std::uint16_t kMaxProbes = 100;
constexpr std::uint8_t kMaxPercent = 100;
constexpr double kMinFailureRatio = 0.01;

std::uint16_t threshold(const Breaker& breaker, Failure kind) {
    return breaker.thresholds.at(static_cast<std::size_t>(kind));
}

/// 0 has the numbers of failures decide alone.
void read_ratio(const TableReader& reader, std::uint8_t& percent) {
    const auto ratio = reader.number("failure_ratio", 0.0, 1.0);
    if (!ratio)
        return;
    if (*ratio != 0.0 && *ratio < kMinFailureRatio)
        return reader.problem("failure_ratio",
                              fmt::format("{} is not 0 or in {}..1", *ratio, kMinFailureRatio));
    percent = static_cast<std::uint8_t>(std::lround(100 * *ratio));
}

/// Without open_max a long open_for stays what it is; the back-off then has no room to grow.
void read_back_off(const TableReader& reader, Breaker& out) {
    reader.fill(out.open_for, "open_for", kOpenFor);
    const auto open_max = reader.duration("open_max", kOpenMax);
    if (open_max && *open_max < out.open_for)
        reader.problem("open_max", fmt::format("{} is below open_for, {}", duration_text(*open_max),
                                               duration_text(out.open_for)));
    out.open_max = std::max(open_max.value_or(out.open_max), out.open_for);
}

/// True if nothing that can happen counts as a failure.
bool ignores_all(const Breaker& breaker) {
    for (const auto kind :
         {Failure::timed_out, Failure::refused, Failure::unreachable, Failure::half_open_flow})
        if (threshold(breaker, kind) > 0)
            return false;
    return (threshold(breaker, Failure::slow) == 0 || breaker.slow_connect == 0ms) &&
           (threshold(breaker, Failure::reset) == 0 || breaker.reset_within == 0ms);
}

/// A threshold and the time it depends on, one of which is written and the other 0.
void warn_half(const TableReader& reader, std::string_view threshold_key, std::uint16_t threshold,
               std::string_view time_key, std::chrono::milliseconds time, ProblemList& warnings) {
    if (reader.has(threshold_key) && threshold > 0 && time == 0ms)
        warnings.add(reader.place(threshold_key), reader.full_key(threshold_key),
                     fmt::format("has no effect: {} is not set", time_key));
    if (reader.has(time_key) && time > 0ms && threshold == 0)
        warnings.add(reader.place(time_key), reader.full_key(time_key),
                     fmt::format("has no effect: {} is 0", threshold_key));
}

void warn_pointless_breaker(const TableReader& reader, const ServiceEntry& entry,
                            ProblemList& warnings) {
    const Breaker& breaker = entry.row.breaker;
    const auto warn = [&](std::string_view key, std::string message) {
        warnings.add(reader.place(key), reader.full_key(key), std::move(message));
    };
    warn_half(reader, "slow", threshold(breaker, Failure::slow), "slow_connect",
              breaker.slow_connect, warnings);
    warn_half(reader, "reset", threshold(breaker, Failure::reset), "reset_within",
              breaker.reset_within, warnings);
    if (entry.breaker_mode == Mode::enforce && ignores_all(breaker))
        warn("mode", "never opens: no kind of failure has a threshold");
    if (reader.has("ramp_start") && breaker.ramp == 0ms)
        warn("ramp_start", "has no effect: ramp is 0");
    if (entry.row.connect_timeout > 0ms && breaker.slow_connect >= entry.row.connect_timeout)
        warn("slow_connect", "has no effect: connect_timeout ends a connect before it is slow");
}

} // namespace

void read_breaker(const TableReader& reader, ServiceEntry& entry, ProblemList& warnings) {
    Breaker& out = entry.row.breaker;
    entry.breaker_mode = reader.choice<Mode>("mode", kModeNames);
    reader.fill(out.window, "window", kWindow);
    for (std::size_t i = 0; i < kFailures; ++i)
        reader.fill(out.thresholds.at(i), kFailureNames.at(i), std::uint16_t{0}, kMaxThreshold);
    read_ratio(reader, out.failure_percent);
    reader.fill(out.slow_connect, "slow_connect", kConnectTime);
    reader.fill(out.reset_within, "reset_within", kConnectTime);
    read_back_off(reader, out);
    reader.fill(out.probes, "probes", std::uint16_t{1}, kMaxProbes);
    reader.fill(out.ramp, "ramp", kRamp);
    reader.fill(out.ramp_start, "ramp_start", std::uint8_t{1}, kMaxPercent);
    warn_pointless_breaker(reader, entry, warnings);
    reader.refuse_the_rest();
}

} // namespace ballast
