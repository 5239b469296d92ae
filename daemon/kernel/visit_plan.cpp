// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/visit_plan.h"

#include <algorithm>
#include <utility>

namespace ballast::kernel {

namespace {

/// Place in the order; the least goes first.
int rank(const VisitPlan::Reasons& reasons) {
    if (reasons.is_unmet)
        return 1;
    if (reasons.is_untuned)
        return 2;
    return reasons.is_miscounted ? 3 : 4;
}

} // namespace

void VisitPlan::begin(std::vector<Candidate> candidates, std::chrono::nanoseconds budget) {
    std::unordered_map<std::uint32_t, std::uint64_t> still;
    for (const auto& candidate : candidates)
        if (const auto known = visited_.find(candidate.netns); known != visited_.end())
            still.insert(*known);
    visited_ = std::move(still);
    left_ = std::move(candidates);
    budget_ = budget;
    is_first_ = true;
}

std::uint64_t VisitPlan::last_visit(std::uint32_t netns) const {
    const auto known = visited_.find(netns);
    return known == visited_.end() ? 0 : known->second;
}

std::optional<std::uint32_t> VisitPlan::next(std::chrono::nanoseconds spent) {
    const bool is_affordable = is_first_ || spent + (spent - spent_) <= budget_;
    if (left_.empty() || !is_affordable)
        return std::nullopt;
    is_first_ = false;
    spent_ = spent;
    const bool is_fair_turn = ++visits_ % fair_turn == 0;
    const auto place = [&](const Candidate& candidate) {
        return std::pair(is_fair_turn ? 0 : rank(candidate.reasons), last_visit(candidate.netns));
    };
    const auto chosen = std::ranges::min_element(left_, {}, place);
    const std::uint32_t netns = chosen->netns;
    left_.erase(chosen);
    visited_[netns] = visits_;
    return netns;
}

} // namespace ballast::kernel
