// SPDX-License-Identifier: Apache-2.0
// The half-open flow keeper's use of sweeps: finding peers that hang.
#include "daemon/guards/half_open/wiring/flow_keeper.h"

#include <utility>

#include "daemon/util/clock.h"

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

} // namespace

/// How long a flow has waited for an answer; none if unknown. A peer that has never sent anything
/// may be one that only takes, and one that has closed its direction will not answer.
std::optional<milliseconds> FlowKeeper::waiting_for(const SweptFlow& flow) {
    if (flow.is_deaf || flow.state == TcpState::close_wait)
        return std::nullopt;
    if (++looked_up_ > most_waiting) {
        ++counted_.not_looked_at;
        return std::nullopt;
    }
    const auto found = facts_->find(flow.netns, key_of(flow));
    if (!found) {
        fail_softly(found.error());
        return std::nullopt;
    }
    const bool is_waiting = *found && (*found)->tcp.unacked == 0 &&
                            (*found)->tcp.notsent_bytes == 0 &&
                            (*found)->tcp.last_data_recv_ms > (*found)->tcp.last_data_sent_ms;
    return is_waiting ? std::optional(milliseconds((*found)->tcp.last_data_sent_ms)) : std::nullopt;
}

/// Why it stands still, if it seems to.
std::optional<Standstill> FlowKeeper::standstill_of(const SweptFlow& flow) const {
    if (flow.cookie == 0)
        return std::nullopt;
    if (flow.has_window_shut)
        return Standstill::window_shut;
    if (flow.is_unsent)
        return Standstill::unsent;
    if (flow.is_unanswered && !flow.is_inbound && wants_answers_)
        return Standstill::unanswered;
    return std::nullopt;
}

/// False where it does not stand still after all.
bool FlowKeeper::look_at_standstill(const SweptFlow& flow, Standstill why) {
    HungLook look;
    look.key = key_of(flow);
    look.netns = flow.netns;
    look.mark = flow.mark;
    look.direction = flow.is_inbound ? Direction::inbound : Direction::outbound;
    look.service = service_at(flow.service, look.key.remote, look.direction);
    look.silent = flow.idle;
    look.why = why;
    look.acked = flow.acked;
    look.queued = flow.queued;
    look.is_subflow = flow.is_subflow;
    const HalfOpen rules = rules_of(look.service);
    look.limit = rules.response_timeout;
    if (rules.mode == Mode::off)
        return false;
    if (why == Standstill::unanswered) {
        const auto waiting = look.limit.count() != 0 ? waiting_for(flow) : std::nullopt;
        if (!waiting)
            return false;
        look.waiting = *waiting;
    }
    hung_.on_look(look, now());
    return true;
}

/// Whether this host still does not send what it has to, by what one look shows.
bool FlowKeeper::is_still_unsent(const DiagSocket& socket) {
    const TcpFacts& tcp = socket.tcp;
    if (tcp.unacked == 0)
        return tcp.notsent_bytes > 0 && tcp.snd_wnd > 0;
    return tcp.retransmits > 0 && tcp.retrans == 0;
}

/// Flows that this host does not send hang at once, so they are not left to the next sweep.
void FlowKeeper::look_at_unsent() {
    const auto time = now();
    if (time - unsent_looked_ < unsent_pause)
        return;
    unsent_looked_ = time;
    std::size_t left = most_waiting;
    for (auto& look : hung_.unsent()) {
        if (left-- == 0)
            break;
        const auto found = facts_->find(look.netns, look.key);
        if (!found) {
            fail_softly(found.error());
            continue;
        }
        if (!*found) {
            hung_.forget(look.key.cookie);
        } else if (!is_still_unsent(**found)) {
            hung_.on_moving(look.key.cookie);
        } else {
            look.acked = static_cast<std::uint32_t>((*found)->tcp.bytes_acked);
            hung_.on_look(look, now());
        }
    }
    judge_standstill();
}

void FlowKeeper::on_probing(const SweptFlow& flow) {
    Suspicion suspicion = suspicion_of(flow, now());
    if (suspicion.key.cookie != 0 && suspicion.silent >= suspect_after)
        suspect(std::move(suspicion), flow.service);
}

void FlowKeeper::observe(std::span<const SweptFlow> flows) {
    for (const auto& flow : flows) {
        if (flow.is_probing)
            on_probing(flow);
        const auto why = standstill_of(flow);
        const bool stands_still = why && look_at_standstill(flow, *why);
        if (!stands_still && hung_.flows() != 0 && flow.cookie != 0)
            hung_.on_moving(flow.cookie);
    }
}

/// The smallest culprit: an address that is gone explains why nothing is sent, and why nothing
/// comes in where it is sent all the same, as in IPv6.
void FlowKeeper::name_local_fault(HalfOpenVerdict& verdict) {
    if (verdict.kind != HalfOpenKind::local_fault && verdict.kind != HalfOpenKind::path_down)
        return;
    const auto has_source = facts_->has_source(verdict.peer());
    if (!has_source)
        fail_softly(has_source.error());
    else if (!*has_source)
        verdict.kind = HalfOpenKind::address_gone;
}

void FlowKeeper::judge_standstill() {
    for (auto& verdict : hung_.judge(now())) {
        name_local_fault(verdict);
        ++counted_.verdicts.at(static_cast<std::size_t>(verdict.kind));
        add(std::move(verdict));
    }
}

void FlowKeeper::end_sweep(const SweepSummary& summary) {
    judge_standstill();
    count_paths(summary.peers);
    tell();
    publish();
    plan({});
    looked_up_ = 0;
}

} // namespace ballast::guards
