// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/try_watch.h"

#include <algorithm>
#include <set>

namespace ballast::guards {

namespace {

/// Times of the kernel are in jiffies of up to 10 ms, and slightly old when read.
constexpr std::chrono::milliseconds lag{50};

} // namespace

void TryWatch::on_trying(const TryLook& look, Monotonic now) {
    if (flows_.size() >= most_flows && !flows_.contains(look.cookie))
        return;
    Flow& flow = flows_[look.cookie];
    flow.remote = look.remote;
    flow.met = now;
    flow.probes = look.probes;
    flow.is_retransmitting = look.trying.count() > 0;
    flow.first_try = now - look.trying;
    flow.last_try = now - look.since_try;
    signs_.try_emplace(look.remote);
}

void TryWatch::on_heard(const Endpoint& remote, Monotonic heard) {
    const auto at = signs_.find(remote);
    if (at == signs_.end())
        return;
    auto& signs = at->second;
    const auto is_known = [&](Monotonic one) { return std::chrono::abs(one - heard) <= lag; };
    if (std::ranges::any_of(signs, is_known))
        return;
    if (signs.size() >= most_signs)
        signs.erase(std::ranges::min_element(signs));
    signs.push_back(heard);
}

bool TryWatch::is_dead(const Flow& flow, Monotonic began, Monotonic now) const {
    const auto at = signs_.find(flow.remote);
    const bool is_gone = flow.met < began;
    if (at == signs_.end() || flow.is_reported)
        return false;
    return std::ranges::any_of(at->second, [&](Monotonic sign) {
        if (is_gone)
            return flow.probes >= many && sign > flow.met && sign <= flow.met + at_once;
        return flow.is_retransmitting && sign > flow.first_try + lag &&
               sign + lag < flow.last_try && now - flow.last_try >= answer;
    });
}

std::vector<std::uint64_t> TryWatch::end_sweep(Monotonic began, Monotonic now) {
    std::vector<std::uint64_t> dead;
    for (auto& [cookie, flow] : flows_) {
        if (!is_dead(flow, began, now))
            continue;
        flow.is_reported = true;
        dead.push_back(cookie);
    }
    std::erase_if(flows_, [&](const auto& entry) { return now - entry.second.met > at_once; });
    std::set<Endpoint> watched;
    for (const auto& entry : flows_)
        watched.insert(entry.second.remote);
    std::erase_if(signs_, [&](const auto& entry) { return !watched.contains(entry.first); });
    return dead;
}

void TryWatch::forget() {
    flows_.clear();
    signs_.clear();
}

} // namespace ballast::guards
