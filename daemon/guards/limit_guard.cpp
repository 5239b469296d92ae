// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/limit_guard.h"

#include <fmt/format.h>

namespace ballast::guards {

namespace {

std::string evidence(const DestinationRow& row, std::uint64_t refused, std::uint64_t over_limit) {
    const std::string max =
        row.max_connections ? std::to_string(*row.max_connections) : std::string("none");
    return fmt::format("in_use={} max_connections={} refused={} admitted_over={}", row.in_use, max,
                       refused, over_limit);
}

} // namespace

void LimitGuard::add(std::vector<Finding>& findings, const char* reason, const DestinationRow& row,
                     const Known& known) {
    if (findings.size() >= most_findings) {
        ++coalesced_;
        return;
    }
    findings.push_back({reason, row.endpoint, row.service,
                        evidence(row, known.refused - known.refused_before,
                                 known.over_limit - known.over_before)});
}

void LimitGuard::judge(const LimitReading& reading, Known& known,
                       std::chrono::steady_clock::time_point now, const Describe& describe,
                       std::vector<Finding>& findings) {
    // Counters that went back belong to another destination that was given the index.
    if (reading.refused < known.refused || reading.over_limit < known.over_limit)
        known = {};
    const bool refused = reading.refused > known.refused;
    const bool passed = reading.over_limit > known.over_limit;
    if (!known.in_episode) {
        known.refused_before = known.refused;
        known.over_before = known.over_limit;
    }
    known.refused = reading.refused;
    known.over_limit = reading.over_limit;
    if (refused || passed) {
        known.last_event = now;
        if (!known.in_episode)
            add(findings, refused ? "limit_refusing" : "limit_would_refuse",
                describe(reading.index), known);
        known.in_episode = true;
    } else if (known.in_episode && now - known.last_event >= quiet) {
        add(findings, "limit_cleared", describe(reading.index), known);
        known.in_episode = false;
    }
}

std::vector<Finding> LimitGuard::read(std::span<const LimitReading> readings,
                                      std::chrono::steady_clock::time_point now,
                                      const Describe& describe) {
    std::vector<Finding> findings;
    for (const auto& reading : readings) {
        const bool is_idle = reading.refused == 0 && reading.over_limit == 0;
        if (is_idle && !known_.contains(reading.index))
            continue;
        auto& known = known_[reading.index];
        if (is_first_) // what an earlier daemon counted is no news
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
