// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/hung_guard.h"

namespace ballast::guards {

using std::chrono::milliseconds;

bool HungGuard::is_hung(const Flow& flow) {
    return flow.last.is_window_shut ? flow.seen - flow.since >= shut_for
                                    : flow.last.waiting >= flow.last.limit;
}

HalfOpenVerdict HungGuard::verdict(const Flow& flow, HalfOpenKind kind) {
    HalfOpenVerdict made;
    made.kind = kind;
    made.key = flow.last.key;
    made.netns = flow.last.netns;
    made.direction = flow.last.direction;
    made.service = flow.last.service;
    made.silent = flow.last.silent;
    made.is_window_shut = flow.last.is_window_shut;
    made.unanswered = flow.last.waiting;
    return made;
}

void HungGuard::on_look(const HungLook& look, Monotonic now) {
    const auto at = flows_.find(look.key.cookie);
    if (at != flows_.end() && at->second.last.is_window_shut == look.is_window_shut) {
        at->second.last = look;
        at->second.seen = now;
        return;
    }
    if (at == flows_.end() && flows_.size() >= most_flows) {
        ++table_full_;
        return;
    }
    flows_.insert_or_assign(look.key.cookie, Flow{.last = look, .since = now, .seen = now});
}

std::vector<HalfOpenVerdict> HungGuard::end_sweep(Monotonic began) {
    std::vector<HalfOpenVerdict> verdicts;
    for (auto at = flows_.begin(); at != flows_.end();) {
        Flow& flow = at->second;
        if (flow.seen < began) {
            if (flow.told)
                verdicts.push_back(verdict(flow, HalfOpenKind::cleared));
            at = flows_.erase(at);
            continue;
        }
        if (!flow.told && is_hung(flow)) {
            flow.told = true;
            verdicts.push_back(verdict(flow, HalfOpenKind::peer_hung));
        }
        ++at;
    }
    return verdicts;
}

} // namespace ballast::guards
