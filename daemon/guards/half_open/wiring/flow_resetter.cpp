// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/wiring/flow_resetter.h"

#include <algorithm>

#include "daemon/util/log.h"

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

bool is_final(FlowAct act) {
    return act != FlowAct::settling && act != FlowAct::waiting && act != FlowAct::paced &&
           act != FlowAct::held;
}

/// Its destination answers others, so this flow alone is dead, whatever else fails.
govern::Governor::Proof proof_of(const HalfOpenVerdict& verdict) {
    return verdict.kind == HalfOpenKind::silently_dropped ? govern::Governor::Proof::proven
                                                          : govern::Governor::Proof::unproven;
}

/// Whether it is still as it was found, as far as one look shows.
bool is_still_half_open(const DiagSocket& socket, const HalfOpenVerdict& verdict,
                        FlowResetter::Monotonic now) {
    const TcpFacts& tcp = socket.tcp;
    switch (verdict.kind) {
    case HalfOpenKind::peer_hung:
        return verdict.is_window_shut ? tcp.snd_wnd == 0
                                      : tcp.last_data_recv_ms > tcp.last_data_sent_ms;
    case HalfOpenKind::local_fault:
    case HalfOpenKind::address_gone:
        return tcp.unacked == 0 ? tcp.notsent_bytes > 0 : tcp.retrans == 0;
    default:
        return !verdict.silence.is_over(socket, now);
    }
}

/// Nothing is left to do, or nobody waits in it.
bool is_over(const HalfOpenVerdict& verdict) {
    return verdict.kind == HalfOpenKind::cleared || verdict.kind == HalfOpenKind::refused_late ||
           verdict.has_ended || verdict.is_orphan;
}

/// What the rules say of it; `reset` if they ask for that.
FlowAct by_rules(const HalfOpenVerdict& verdict, const HalfOpen& rules) {
    if (verdict.service.empty())
        return FlowAct::ungoverned;
    if (rules.action == HalfOpenAction::report)
        return FlowAct::report;
    if (!rules.reset_kinds.has(verdict.kind))
        return FlowAct::kind;
    if (verdict.is_subflow)
        return FlowAct::subflow;
    return rules.mode == Mode::enforce ? FlowAct::reset : FlowAct::observe;
}

/// X1, counted from the last time that the peer was heard of.
milliseconds patience_of(const HalfOpenVerdict& verdict, const HalfOpen& rules) {
    return std::max(rules.path_down_after, FlowResetter::patient_round_trips * verdict.rtt);
}

} // namespace

void FlowResetter::on_verdict(const HalfOpenVerdict& verdict, Monotonic now) {
    const HalfOpen rules = rules_(verdict.service);
    const FlowAct act = first_act(verdict, rules, now);
    if (is_final(act))
        ++counts_.at(static_cast<std::size_t>(act));
    else
        waiting_.push_back(
            {verdict, now,
             act == FlowAct::settling ? now - verdict.silent + patience_of(verdict, rules) : now});
    tell_(verdict, act, rules.mode, false);
}

FlowAct FlowResetter::first_act(const HalfOpenVerdict& verdict, const HalfOpen& rules,
                                Monotonic now) {
    if (is_over(verdict))
        return FlowAct::none;
    const FlowAct wanted = by_rules(verdict, rules);
    if (wanted != FlowAct::reset)
        return wanted;
    if (waiting_.size() >= most_waiting)
        return FlowAct::full;
    if (verdict.kind == HalfOpenKind::path_down)
        return FlowAct::settling;
    return first_try(verdict, now);
}

/// What is not proven queues behind others of its like.
FlowAct FlowResetter::first_try(const HalfOpenVerdict& verdict, Monotonic now) {
    if (destroyed_ >= most_a_turn)
        return FlowAct::paced;
    const bool has_queue = std::ranges::any_of(waiting_, [&](const Waiting& one) {
        return proof_of(one.verdict) == proof_of(verdict) && one.not_before <= now;
    });
    if (has_queue)
        return stopped_by_ == FlowAct::none ? FlowAct::paced : stopped_by_;
    return try_now(verdict, now);
}

/// Checks before charging the caps: a recovered flow costs nothing.
FlowAct FlowResetter::try_now(const HalfOpenVerdict& verdict, Monotonic now) {
    const FlowAct seen = look_again(verdict, now);
    if (seen != FlowAct::reset)
        return seen;
    switch (leave_(proof_of(verdict), now)) {
    case govern::Governor::Leave::granted:
        return destroy(verdict);
    case govern::Governor::Leave::caps:
        return FlowAct::waiting;
    case govern::Governor::Leave::observer_fault:
        return FlowAct::held;
    case govern::Governor::Leave::dry_run:
        break;
    }
    return FlowAct::dry_run;
}

/// `reset` if nothing speaks against it.
FlowAct FlowResetter::look_again(const HalfOpenVerdict& verdict, Monotonic now) {
    const auto found = facts_.find(verdict.netns, verdict.key);
    if (!found)
        return fail_softly(found.error());
    if (!*found || (*found)->tcp.given == 0)
        return FlowAct::gone;
    if ((*found)->inode == 0)
        return FlowAct::none;
    return is_still_half_open(**found, verdict, now) ? FlowAct::reset : FlowAct::recovered;
}

FlowAct FlowResetter::destroy(const HalfOpenVerdict& verdict) {
    ++destroyed_;
    const auto done = facts_.destroy(verdict.netns, verdict.key);
    if (!done)
        return fail_softly(done.error());
    return *done == Destroyed::destroyed ? FlowAct::reset : FlowAct::gone;
}

FlowAct FlowResetter::fail_softly(const Error& error) {
    if (counts_.at(static_cast<std::size_t>(FlowAct::failed)) == 0)
        log::warn("half-open flows: cannot reset a flow (counted, not logged again): {}",
                  error.text());
    return FlowAct::failed;
}

/// X1: what was said of its path no longer holds; if the flow is dead all the same, another verdict
/// says so.
bool FlowResetter::has_answered(const Waiting& one) const {
    if (one.verdict.kind != HalfOpenKind::path_down)
        return false;
    const auto heard = heard_(one.verdict.peer());
    return heard && *heard > one.since + margin;
}

FlowAct FlowResetter::next_act(const Waiting& one, Monotonic now) {
    if (now - std::max(one.since, one.not_before) >= longest_wait)
        return FlowAct::too_old;
    const FlowAct wanted = by_rules(one.verdict, rules_(one.verdict.service));
    if (wanted != FlowAct::reset)
        return wanted;
    if (has_answered(one))
        return FlowAct::answers;
    const bool is_stopped =
        stopped_by_ != FlowAct::none && proof_of(one.verdict) != govern::Governor::Proof::proven;
    if (one.not_before > now || is_stopped || destroyed_ >= most_a_turn)
        return FlowAct::waiting;
    const FlowAct act = try_now(one.verdict, now);
    if (!is_final(act))
        stopped_by_ = act;
    return act;
}

void FlowResetter::turn(Monotonic now) {
    destroyed_ = 0;
    stopped_by_ = FlowAct::none;
    std::deque<Waiting> left;
    for (auto& one : waiting_) {
        const FlowAct act = next_act(one, now);
        if (!is_final(act)) {
            left.push_back(std::move(one));
            continue;
        }
        ++counts_.at(static_cast<std::size_t>(act));
        tell_(one.verdict, act, rules_(one.verdict.service).mode, true);
    }
    waiting_ = std::move(left);
}

} // namespace ballast::guards
