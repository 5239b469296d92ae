// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/limit/limit_guard.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

namespace ballast::guards {

namespace {

using findings::Reason;

constexpr std::array<std::string_view, kLimitReasons> kReasonNames{"limit", "total", "consumer",
                                                                   "rate"};

CountsByReason difference(const CountsByReason& now, const CountsByReason& before) {
    CountsByReason grown{};
    std::ranges::transform(now, before, grown.begin(), std::minus());
    return grown;
}

bool any_below(const CountsByReason& now, const CountsByReason& before) {
    return !std::ranges::equal(now, before, std::greater_equal());
}

/// Whether connects were refused.
std::optional<bool> acted(Reason reason) {
    if (reason == Reason::limit_cleared)
        return std::nullopt;
    return reason == Reason::limit_refusing;
}

/// "refused=3 refused_by_limit=1 refused_by_rate=2".
std::string counts_text(std::string_view what, const CountsByReason& counts) {
    std::string text = fmt::format("{}={}", what, sum(counts));
    for (std::size_t reason = 0; reason < kLimitReasons; ++reason)
        if (counts.at(reason) != 0)
            text += fmt::format(" {}_by_{}={}", what, kReasonNames.at(reason), counts.at(reason));
    return text;
}

std::string evidence(const DestinationRow& row, const CountsByReason& refused,
                     const CountsByReason& over_limit) {
    const std::string max =
        row.max_connections ? std::to_string(*row.max_connections) : std::string("none");
    return fmt::format("in_use={} max_connections={} {} {}", row.in_use, max,
                       counts_text("refused", refused), counts_text("admitted_over", over_limit));
}

} // namespace

std::uint64_t sum(const CountsByReason& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

void LimitGuard::add(std::vector<Finding>& findings, Reason reason, const DestinationRow& row,
                     const Known& known) {
    if (findings.size() >= most_findings) {
        ++coalesced_;
        return;
    }
    findings.push_back({.reason = reason,
                        .destination = row.endpoint,
                        .service = row.service,
                        .evidence = evidence(row, difference(known.refused, known.refused_before),
                                             difference(known.over_limit, known.over_before)),
                        .acted = acted(reason)});
}

void LimitGuard::judge(const LimitReading& reading, Known& known,
                       std::chrono::steady_clock::time_point now, const Describe& describe,
                       std::vector<Finding>& findings) {
    // Counters that went back belong to another destination that reuses the index.
    if (any_below(reading.refused, known.refused) ||
        any_below(reading.over_limit, known.over_limit))
        known = {};
    const bool refused = reading.refused != known.refused;
    const bool passed = reading.over_limit != known.over_limit;
    if (!known.in_episode) {
        known.refused_before = known.refused;
        known.over_before = known.over_limit;
    }
    known.refused = reading.refused;
    known.over_limit = reading.over_limit;
    if (refused || passed) {
        known.last_event = now;
        if (!known.in_episode)
            add(findings, refused ? Reason::limit_refusing : Reason::limit_would_refuse,
                describe(reading.index), known);
        known.in_episode = true;
    } else if (known.in_episode && now - known.last_event >= quiet) {
        add(findings, Reason::limit_cleared, describe(reading.index), known);
        known.in_episode = false;
    }
}

std::vector<Finding> LimitGuard::read(std::span<const LimitReading> readings,
                                      std::chrono::steady_clock::time_point now,
                                      const Describe& describe) {
    std::vector<Finding> findings;
    for (const auto& reading : readings) {
        const bool is_idle = sum(reading.refused) == 0 && sum(reading.over_limit) == 0;
        if (is_idle && !known_.contains(reading.index))
            continue;
        auto& known = known_[reading.index];
        if (is_first_) // an earlier daemon's counts are not news
            known = {reading.refused,
                     reading.over_limit,
                     reading.refused,
                     reading.over_limit,
                     now,
                     false};
        else
            judge(reading, known, now, describe, findings);
    }
    is_first_ = false;
    return findings;
}

} // namespace ballast::guards
