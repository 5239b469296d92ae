// SPDX-License-Identifier: Apache-2.0
// The half-open flow keeper's use of sweeps: finding peers that hang.
#include "daemon/guards/half_open/wiring/flow_keeper.h"

#include <utility>

#include "daemon/util/clock.h"

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

} // namespace

/// How long a flow has waited for an answer; none if unknown.
std::optional<milliseconds> FlowKeeper::waiting_for(const SweptFlow& flow) {
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

void FlowKeeper::on_flow(const SweptFlow& flow) {
    const bool is_shut = flow.has_window_shut;
    const bool is_inbound = flow.is_inbound;
    if (flow.cookie == 0 || (!is_shut && (is_inbound || !wants_answers_)))
        return;
    guards::HungLook look;
    look.key = key_of(flow);
    look.netns = flow.netns;
    look.direction = is_inbound ? Direction::inbound : Direction::outbound;
    look.service = service_at(flow.service, look.key.remote, look.direction);
    look.silent = flow.idle;
    look.is_window_shut = is_shut;
    const HalfOpen rules = rules_of(look.service);
    look.limit = rules.response_timeout;
    if (rules.mode == Mode::off)
        return;
    if (!is_shut) {
        const auto waiting = look.limit.count() != 0 ? waiting_for(flow) : std::nullopt;
        if (!waiting)
            return;
        look.waiting = *waiting;
    }
    hung_.on_look(look, now());
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
        if (flow.has_window_shut || flow.is_unanswered)
            on_flow(flow);
    }
}

void FlowKeeper::end_sweep(const SweepSummary& summary) {
    for (auto& verdict : hung_.end_sweep(sweep_began_)) {
        ++(verdict.kind == HalfOpenKind::peer_hung ? counted_.peer_hung : counted_.cleared);
        add(std::move(verdict));
    }
    count_paths(summary.peers);
    tell();
    publish();
    plan({});
    sweep_began_ = now();
    looked_up_ = 0;
}

} // namespace ballast::guards
