// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/hung_guard.h"

namespace ballast::guards {

using std::chrono::milliseconds;

bool HungGuard::is_hung(const Flow& flow) {
    switch (flow.last.why) {
    case Standstill::window_shut:
        return flow.seen - flow.since >= shut_for;
    case Standstill::unanswered:
        return flow.last.waiting >= flow.last.limit;
    case Standstill::unsent:
        break;
    }
    return flow.seen - flow.since >= unsent_for;
}

HalfOpenVerdict HungGuard::verdict(const Flow& flow, HalfOpenKind kind) {
    HalfOpenVerdict made;
    made.kind = kind;
    made.key = flow.last.key;
    made.netns = flow.last.netns;
    made.mark = flow.last.mark;
    made.direction = flow.last.direction;
    made.service = flow.last.service;
    made.silent = flow.last.silent;
    made.is_window_shut = flow.last.why == Standstill::window_shut;
    if (flow.last.why != Standstill::unanswered)
        made.lasting = std::chrono::duration_cast<milliseconds>(flow.seen - flow.since);
    made.unanswered = flow.last.waiting;
    made.queued = flow.last.queued;
    made.is_subflow = flow.last.is_subflow;
    return made;
}

void HungGuard::on_look(const HungLook& look, Monotonic now) {
    const auto at = flows_.find(look.key.cookie);
    if (at == flows_.end()) {
        if (flows_.size() < most_flows)
            flows_.emplace(look.key.cookie, Flow{.last = look, .since = now, .seen = now});
        else
            ++table_full_;
        return;
    }
    Flow& flow = at->second;
    const bool has_moved = flow.last.acked != look.acked || flow.last.why != look.why;
    flow.is_moving = has_moved && flow.told;
    if (has_moved)
        flow.since = now;
    flow.last = look;
    flow.seen = now;
}

void HungGuard::on_moving(std::uint64_t cookie) {
    const auto at = flows_.find(cookie);
    if (at == flows_.end())
        return;
    if (at->second.told)
        at->second.is_moving = true;
    else
        flows_.erase(at);
}

std::vector<HungLook> HungGuard::unsent() const {
    std::vector<HungLook> looks;
    for (const auto& [cookie, flow] : flows_)
        if (flow.last.why == Standstill::unsent && !flow.told)
            looks.push_back(flow.last);
    return looks;
}

std::vector<HalfOpenVerdict> HungGuard::judge(Monotonic now) {
    std::vector<HalfOpenVerdict> verdicts;
    for (auto at = flows_.begin(); at != flows_.end();) {
        Flow& flow = at->second;
        if (flow.is_moving)
            verdicts.push_back(verdict(flow, HalfOpenKind::cleared));
        if (flow.is_moving || now - flow.seen >= remembered) {
            at = flows_.erase(at);
            continue;
        }
        if (!flow.told && is_hung(flow)) {
            flow.told = true;
            verdicts.push_back(verdict(flow, flow.last.why == Standstill::unsent
                                                 ? HalfOpenKind::local_fault
                                                 : HalfOpenKind::peer_hung));
        }
        ++at;
    }
    return verdicts;
}

} // namespace ballast::guards
