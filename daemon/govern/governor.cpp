// SPDX-License-Identifier: Apache-2.0
#include "daemon/govern/governor.h"

#include <algorithm>

namespace ballast::govern {

Governor::Governor(const GovernorOptions& options)
    : options_(options), actions_(options.actions_per_minute),
      opens_(options.breaker_opens_per_minute) {}

void Governor::configure(const GovernorOptions& options) {
    options_ = options;
    actions_.configure(options.actions_per_minute);
    opens_.configure(options.breaker_opens_per_minute);
}

void Governor::on_failing(std::uint32_t destination, bool opened, Monotonic now) {
    failing_[destination] = now;
    if (!opened)
        return;
    opened_[destination] = now;
    (void)opens_.take(1, now);
    (void)actions_.take(1, now);
}

void Governor::forget_before(Monotonic from) {
    const auto is_old = [&](const auto& event) { return event.second < from; };
    std::erase_if(failing_, is_old);
    std::erase_if(opened_, is_old);
}

/// The least number of failing destinations that makes the observer suspect.
std::size_t Governor::suspicious(std::size_t active) const {
    return std::max(observer_fault_least, active * options_.observer_fault_percent / 100 + 1);
}

void Governor::hold_openings(Decision& decision, Monotonic now) {
    for (const auto& [destination, at] : opened_)
        if (!held_.contains(destination) && may_act(now)) {
            held_.insert(destination);
            decision.hold.push_back(destination);
        }
}

void Governor::judge(Decision& decision, Monotonic now) {
    const bool is_fault = decision.failing >= suspicious(decision.active);
    if (is_fault)
        last_suspect_ = now;
    decision.fault_began = is_fault && !suspect_;
    suspect_ = is_fault || (suspect_ && now - last_suspect_ < options_.release_after);
    if (suspect_) {
        hold_openings(decision, now);
        return;
    }
    decision.release = undo_all();
}

Governor::Decision Governor::decide(std::size_t active, Monotonic now) {
    forget_before(now - options_.observer_fault_window);
    Decision decision;
    decision.failing = failing_.size();
    decision.active = std::max(active, decision.failing);
    const bool was_suspect = suspect_;
    judge(decision, now);
    decision.fault_ended = was_suspect && !suspect_;
    if (suspect_)
        return decision;
    const std::size_t room =
        suspicious(decision.active) - std::min(suspicious(decision.active), opened_.size());
    decision.trip_budget = static_cast<std::uint32_t>(
        std::min<std::size_t>({room, opens_.left(now), actions_.left(now)}));
    return decision;
}

void Governor::adopt_hold(std::uint32_t destination, Monotonic now) {
    held_.insert(destination);
    suspect_ = true;
    last_suspect_ = now;
}

std::vector<std::uint32_t> Governor::undo_all() {
    std::vector<std::uint32_t> all(held_.begin(), held_.end());
    held_.clear();
    return all;
}

} // namespace ballast::govern
