// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/wiring/flow_resetter.h"

#include <algorithm>

#include "daemon/util/log.h"

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

bool is_final(FlowAct act) {
    return act != FlowAct::settling && act != FlowAct::waiting && act != FlowAct::held;
}

/// Whether it is still as it was found, as far as one look shows.
bool is_still_half_open(const DiagSocket& socket, const HalfOpenVerdict& verdict,
                        FlowResetter::Monotonic now) {
    const TcpFacts& tcp = socket.tcp;
    if (verdict.kind == HalfOpenKind::peer_hung)
        return verdict.is_window_shut ? tcp.snd_wnd == 0
                                      : tcp.last_data_recv_ms > tcp.last_data_sent_ms;
    return !verdict.silence.is_over(socket, now);
}

} // namespace

void FlowResetter::on_verdict(const HalfOpenVerdict& verdict, Monotonic now) {
    const HalfOpen rules = rules_(verdict.service);
    const FlowAct act = first_act(verdict, rules, now);
    if (is_final(act))
        ++counts_.at(static_cast<std::size_t>(act));
    else
        waiting_.push_back({verdict, now, act == FlowAct::settling ? now + settling : now});
    tell_(verdict, act, rules.mode, false);
}

FlowAct FlowResetter::first_act(const HalfOpenVerdict& verdict, const HalfOpen& rules,
                                Monotonic now) {
    const bool is_over = verdict.kind == HalfOpenKind::cleared ||
                         verdict.kind == HalfOpenKind::refused_late || verdict.has_ended;
    if (is_over || verdict.is_orphan)
        return FlowAct::none;
    if (rules.action == HalfOpenAction::report)
        return FlowAct::report;
    if (rules.mode != Mode::enforce)
        return FlowAct::observe;
    if (waiting_.size() >= most_waiting)
        return FlowAct::full;
    if (verdict.kind == HalfOpenKind::path_down)
        return FlowAct::settling;
    return waiting_.empty() && destroyed_ < most_a_turn ? try_now(verdict, now) : FlowAct::waiting;
}

/// Checks before charging the caps: a recovered flow costs nothing.
FlowAct FlowResetter::try_now(const HalfOpenVerdict& verdict, Monotonic now) {
    const FlowAct seen = look_again(verdict, now);
    if (seen != FlowAct::reset)
        return seen;
    switch (leave_(now)) {
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

FlowAct FlowResetter::next_act(const Waiting& one, Monotonic now) {
    if (now - one.since >= longest_wait)
        return FlowAct::too_old;
    const HalfOpen rules = rules_(one.verdict.service);
    if (rules.mode != Mode::enforce || rules.action == HalfOpenAction::report)
        return FlowAct::observe;
    if (one.not_before > now || is_stopped_ || destroyed_ >= most_a_turn)
        return FlowAct::waiting;
    const FlowAct act = try_now(one.verdict, now);
    is_stopped_ = !is_final(act);
    return act;
}

void FlowResetter::turn(Monotonic now) {
    destroyed_ = 0;
    is_stopped_ = false;
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
