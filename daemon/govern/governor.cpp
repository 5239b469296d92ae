// SPDX-License-Identifier: Apache-2.0
#include "daemon/govern/governor.h"

#include <algorithm>

namespace ballast::govern {

Governor::Governor(const GovernorOptions& options)
    : options_(options), actions_(options.actions_per_minute),
      opens_(options.breaker_opens_per_minute), resets_(options.resets_per_minute) {}

void Governor::configure(const GovernorOptions& options) {
    if (options_.dry_run && !options.dry_run)
        held_.clear();
    options_ = options;
    actions_.configure(options.actions_per_minute);
    opens_.configure(options.breaker_opens_per_minute);
    resets_.configure(options.resets_per_minute);
}

void Governor::on_failing(std::uint32_t destination, Failing how, Monotonic now) {
    failing_[destination] = now;
    if (how == Failing::withheld)
        return;
    opened_[destination] = now;
    if (how == Failing::reopened)
        return;
    if (trips_.is_known())
        trips_.told();
    else
        charge(1, now); // taken from an earlier daemon's budget, known only from events
}

void Governor::charge(std::int64_t openings, Monotonic now) {
    opens_.charge(openings, now);
    actions_.charge(openings, now);
}

void Governor::forget_before(Monotonic from) {
    const auto is_old = [&](const auto& event) { return event.second < from; };
    std::erase_if(failing_, is_old);
    std::erase_if(opened_, is_old);
    trips_.forget_before(from);
}

/// The least number of failing destinations that makes the observer suspect.
std::size_t Governor::suspicious(std::size_t active) const {
    return PathFault::threshold(active, options_);
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
    const bool was_suspect = suspect_;
    if (is_fault)
        last_suspect_ = now;
    suspect_ = is_fault || (was_suspect && now - last_suspect_ < options_.release_after);
    decision.fault_began = is_fault && !was_suspect;
    decision.fault_ended = was_suspect && !suspect_;
}

/// What programs may take, after everything taken has been charged.
std::uint32_t Governor::budget(std::size_t active, Monotonic now) {
    if (suspect_)
        return 0;
    const std::size_t most = suspicious(active);
    const std::size_t room = most - std::min(most, opened_.size() + trips_.untold());
    return static_cast<std::uint32_t>(
        std::min<std::size_t>({room, opens_.left(now), actions_.left(now)}));
}

/// The loop repeats only if programs took or returned something meanwhile.
std::uint32_t Governor::grant(std::size_t active, const Swap& swap, Monotonic now) {
    std::uint32_t left = trips_.outstanding();
    std::uint32_t wanted = budget(active, now);
    while (!swap(left, options_.dry_run ? 0 : wanted)) {
        charge(trips_.look(left, now), now);
        wanted = budget(active, now);
    }
    trips_.put(options_.dry_run ? 0 : wanted);
    return wanted;
}

Governor::Decision Governor::decide(std::size_t active, const Swap& swap, Monotonic now) {
    forget_before(now - options_.observer_fault_window);
    Decision decision;
    decision.failing = failing_.size();
    decision.active = std::max(active, decision.failing);
    decision.dry_run = options_.dry_run;
    judge(decision, now);
    decision.trip_budget = grant(decision.active, swap, now);
    if (suspect_)
        hold_openings(decision, now);
    else
        decision.release = undo_all();
    return decision;
}

void Governor::on_dead_path(const PeerKey& peer) {
    dead_paths_.on_dead(peer);
}

void Governor::on_left_path(const PeerKey& peer, Monotonic now) {
    dead_paths_.on_left(peer, now);
}

void Governor::on_live_path(const PeerKey& peer) {
    dead_paths_.on_live(peer);
}

Governor::PathHold Governor::judge_paths(Monotonic now) {
    const bool is_held = dead_paths_.is_suspect(paths_, options_, now);
    return {.is_held = is_held, .dead = dead_paths_.dead(), .paths = paths_};
}

Governor::Leave Governor::leave_to_reset(Proof proof, Monotonic now) {
    if (proof == Proof::proven)
        return options_.dry_run ? Leave::dry_run : Leave::granted;
    if (suspect_ || dead_paths_.is_suspect(paths_, options_, now))
        return Leave::observer_fault;
    if (options_.dry_run)
        return Leave::dry_run;
    if (resets_.left(now) == 0 || !may_act(now))
        return Leave::caps;
    resets_.take(1, now);
    return Leave::granted;
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
