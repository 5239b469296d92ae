// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/breaker/breaker_guard.h"

#include <fmt/format.h>

#include "daemon/model/names.h"

namespace ballast::guards {

namespace {

using findings::Reason;

Reason reason_of(const BreakerChange& change) {
    if (change.withheld)
        return Reason::breaker_withheld;
    switch (change.to) {
    case BreakerState::open:
        return change.from == BreakerState::half_open ? Reason::breaker_reopened
                                                      : Reason::breaker_opened;
    case BreakerState::half_open:
        return Reason::breaker_probing;
    case BreakerState::ramp:
        return Reason::breaker_ramping;
    case BreakerState::closed:
        break;
    }
    return Reason::breaker_closed;
}

/// Whether the change causes connections to be refused.
std::optional<bool> acted(const BreakerChange& change) {
    if (change.withheld)
        return false;
    if (change.to == BreakerState::open)
        return change.mode == Mode::enforce;
    return std::nullopt;
}

std::string evidence_of(const BreakerChange& change) {
    std::string text = fmt::format("mode={}", name_of(change.mode));
    bool has_counts = false;
    for (std::size_t kind = 0; kind < kFailures; ++kind)
        if (change.failures.at(kind)) {
            text += fmt::format(" {}={}", kFailureNames.at(kind), change.failures.at(kind));
            has_counts = true;
        }
    if (has_counts)
        text += fmt::format(" established={}", change.established);
    if (change.is_for_some)
        text += fmt::format(" only_for_cgroup={} netns={}", change.cgroup, change.netns);
    if (!change.last_error.empty())
        text += fmt::format(" last_error={}", change.last_error);
    if (change.lasts.count())
        text += fmt::format(" for_ms={} level={}", change.lasts.count(), change.level);
    if (change.withheld && change.dry_run)
        text += " dry_run=true";
    return text;
}

} // namespace

std::optional<Finding> BreakerGuard::read(const BreakerChange& change, Monotonic now) {
    if (change.withheld) {
        if (told_.size() >= most_known)
            std::erase_if(told_, [&](const auto& told) { return now - told.second >= quiet; });
        const auto [at, is_new] = told_.try_emplace(change.index, now);
        if (!is_new && now - at->second < quiet) {
            ++coalesced_;
            return std::nullopt;
        }
        at->second = now;
    }
    return Finding{.reason = reason_of(change),
                   .destination = change.endpoint,
                   .service = change.service,
                   .evidence = evidence_of(change),
                   .acted = acted(change)};
}

} // namespace ballast::guards
