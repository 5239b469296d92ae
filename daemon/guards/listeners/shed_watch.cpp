// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/listeners/shed_watch.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::guards {

using findings::Reason;

namespace {

ShedCounts less(const ShedCounts& now, const ShedCounts& before) {
    ShedCounts since = now;
    since.admitted -= std::min(before.admitted, since.admitted);
    since.spared -= std::min(before.spared, since.spared);
    since.withheld -= std::min(before.withheld, since.withheld);
    for (std::size_t i = 0; i < since.shed.size(); ++i)
        since.shed.at(i) -= std::min(before.shed.at(i), since.shed.at(i));
    return since;
}

/// Most of what was shed was shed for that.
std::string_view main_reason(const ShedCounts& since) {
    const auto most = std::ranges::max_element(since.shed) - since.shed.begin();
    return kShedReasonNames.at(static_cast<std::size_t>(most));
}

} // namespace

Finding ShedWatch::made(Reason reason, const ShedRow& row, const ShedCounts& since) {
    Finding finding;
    finding.reason = reason;
    finding.evidence = fmt::format("rule={} listener={} by={} shed={} admitted={} spared={}",
                                   row.rule.name, row.rule.on.front().text(), main_reason(since),
                                   since.all_shed() - since.withheld,
                                   since.admitted + since.withheld, since.spared);
    finding.acted = row.mode == Mode::enforce;
    return finding;
}

void ShedWatch::judge(const ShedRow& row, Known& known, Monotonic now, std::vector<Finding>& all) {
    const auto since = less(row.counts, known.counts);
    const auto enforced = since.all_shed() - since.withheld;
    const bool is_more = enforced > 0 && !known.is_enforced;
    if (since.all_shed() == 0) {
        if (known.is_shedding && now - known.shed_at >= quiet) {
            known.is_shedding = false;
            known.is_enforced = false;
            all.push_back(made(Reason::listener_shed_over, row, less(row.counts, known.began)));
        }
        return;
    }
    if (!known.is_shedding || is_more) { // D1, D2
        known.began = known.counts;
        known.is_shedding = true;
        known.is_enforced = enforced > 0;
        auto finding = made(enforced > 0 ? Reason::listener_shedding : Reason::listener_would_shed,
                            row, since);
        if (enforced == 0)
            finding.evidence += fmt::format(" would_shed={}", since.withheld);
        all.push_back(std::move(finding));
    }
    known.shed_at = now;
}

std::vector<Finding> ShedWatch::read(const std::vector<ShedRow>& rows, Monotonic now) {
    std::vector<Finding> all;
    std::map<std::string, Known> still;
    for (const auto& row : rows) {
        auto [at, is_new] = still.emplace(row.rule.name, Known{});
        if (const auto known = known_.find(row.rule.name); known != known_.end())
            at->second = known->second;
        judge(row, at->second, now, all);
        at->second.counts = row.counts;
    }
    known_ = std::move(still);
    return all;
}

} // namespace ballast::guards
