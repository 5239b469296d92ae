// SPDX-License-Identifier: Apache-2.0
// Connections that the other end, or somebody on the path, ends without being asked.
#include <algorithm>

#include "cli/discover/discovery.h"

namespace ballast::discovery {

void Discovery::ended(Flow flow, bool reset, Time now) {
    const auto found = flows_.find(flow);
    if (found == flows_.end())
        return;
    Idle& idle = found->second;
    if (!idle.connected || !idle.rung)
        return lost(flow, now);
    if (idle.judge && reset) {
        if (!idle.gap_at_most)
            probe_left(flow, now);
        return idle.judge->reset();
    }
    ends_.push_back({std::chrono::duration_cast<Gap>(now - idle.latest), reset, now, idle.stirred});
    release(flow);
}

/// One end is judged only when those of the same moment are known.
void Discovery::judge_ends(Time now) {
    if (ends_.empty() || now < ends_.front().at + together)
        return;
    const auto stirred =
        std::partition(ends_.begin(), ends_.end(), [](const End& end) { return !end.stirred; });
    if (stirred != ends_.begin())
        ends_.erase(stirred, ends_.end());
    const auto [youngest, oldest] =
        std::minmax_element(ends_.begin(), ends_.end(),
                            [](const End& one, const End& other) { return one.age < other.age; });
    const Gap blur = youngest->age * options_.resolution_percent / 100 + together;
    if (oldest->age > youngest->age + blur && findings_.state == Discovered::running)
        findings_.state = Discovered::ends_at_will;
    else if (findings_.state == Discovered::running)
        judge_end(oldest->reset, oldest->age, now);
    ends_.clear();
}

void Discovery::judge_end(bool reset, Gap age, Time now) {
    const Gap blur = age * options_.resolution_percent / 100;
    if (findings_.survived && age + blur < *findings_.survived) {
        if (++findings_.odd_ends > most_odd_ends)
            findings_.state = Discovered::ends_at_will;
        return pause(now);
    }
    if (age < kShortestGap) {
        findings_.closes_after = age;
        findings_.state = Discovered::closes_at_once;
    } else if (reset) {
        findings_.died = std::max(age, findings_.survived.value_or(Gap(0)) + Gap(1));
        findings_.death = Death::reset_unasked;
        findings_.state = Discovered::bracketed;
    } else {
        survive(age);
        findings_.closes_after = age;
        findings_.state = Discovered::peer_closes;
    }
}

} // namespace ballast::discovery
