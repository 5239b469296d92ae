// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/half_open_suspect.h"

#include <algorithm>

namespace ballast::guards {

namespace {

/// What it had sent and retransmitted before this silence. Each unanswered try retransmitted one
/// segment, and the first may have been a tail loss probe.
struct Before {
    std::uint32_t sent;
    std::uint32_t lost;

    explicit Before(const Suspicion& first) {
        const bool is_trying =
            first.what == Suspicion::What::retransmission || first.retransmits > 0;
        const std::uint32_t tries = is_trying ? first.retransmits + 1 : 0;
        lost = first.total_retrans - std::min(first.total_retrans, tries);
        sent = first.data_segs_out - std::min(first.data_segs_out, tries);
    }

    [[nodiscard]] bool is_much() const { return lost * 20 >= sent; } // 5%
    [[nodiscard]] bool is_clean() const { return sent >= 20 && !is_much(); }
};

bool has_lost_before(const Suspicion& first) {
    const Before before(first);
    return before.lost >= 2 && before.is_much();
}

/// A flow that was not silent before its first tries is reported late, after several. On a lossy
/// path that often happens to flows that are not dropped, so its path must be known to lose little.
bool is_reported_late(const Suspicion& first) {
    return first.what == Suspicion::What::retransmission && first.retransmits > 1;
}

bool is_any_within(std::span<const Monotonic> ascending, Monotonic after, Monotonic until) {
    const auto first = std::ranges::upper_bound(ascending, after);
    return first != ascending.end() && *first <= until;
}

} // namespace

Suspect::Suspect(const Suspicion& first, unsigned confirm)
    : last_(first), first_(first), confirm_(confirm), was_lossy_(has_lost_before(first)),
      is_unproven_(is_reported_late(first) && !Before(first).is_clean()),
      is_one_way_(first.silent < first.try_gap), silent_since_(first.at - first.silent),
      previous_try_(first.at - first.try_gap), last_try_(first.at),
      last_try_earliest_(first.at - first.earlier),
      heard_(silent_since_), silence_{silent_since_ + first.silent / 2, std::nullopt} {
    add(first);
}

bool Suspect::is_same_silence(const Suspicion& next) const {
    if (silence_.bytes_acked && next.what != Suspicion::What::probe)
        return next.bytes_acked == *silence_.bytes_acked;
    return next.at - next.silent <= silence_.over_after;
}

/// A sign of life seen after the previous last try is now between two tries.
void Suspect::try_again(const Suspicion& next) {
    previous_try_ = last_try_;
    last_try_ = next.at;
    last_try_earliest_ = next.at - next.earlier;
    life_before_ = life_after_;
    life_after_ = false;
}

/// Of probes between the last look and the end, only the time of the last one is known.
void Suspect::end(const Suspicion& last) {
    ended_ = last.at;
    tries_ = std::max(tries_, last.probes);
    if (probes_ == 0 || (life_before_ && life_after_))
        return;
    previous_try_ = last.at - last.try_gap;
    last_try_ = last_try_earliest_ = last.at;
    life_before_ = life_after_ = false;
}

void Suspect::add(const Suspicion& next) {
    last_ = next;
    if (next.what == Suspicion::What::timed_out) {
        end(next);
        return;
    }
    tail_probed_ = tail_probed_ || next.is_tail_probe;
    if (next.what == Suspicion::What::probe) {
        probes_ = std::max(probes_, next.probes);
    } else {
        resent_ = std::max(resent_, next.retransmits + (tail_probed_ ? 1U : 0U));
        silence_.bytes_acked = next.bytes_acked;
    }
    if (probes_ + resent_ <= tries_)
        return; // more segments of the same try
    if (tries_ > 0)
        try_again(next);
    tries_ = probes_ + resent_;
}

void Suspect::see_life(std::span<const Monotonic> heard) {
    life_before_ = life_before_ || is_any_within(heard, previous_try_ + margin, last_try_earliest_);
    life_after_ = life_after_ || is_any_within(heard, last_try_ + margin, Monotonic::max());
}

/// No more tries follow that could show a sign of life to have been chance. One sign alone proves
/// neither a drop nor a dead path.
std::optional<HalfOpenKind> Suspect::judge_ended(Monotonic now, PathLoss loss) const {
    if (life_before_ && life_after_ && !is_lossy(loss) &&
        (!is_unproven_ || loss == PathLoss::little))
        return HalfOpenKind::silently_dropped;
    if (!verdict_ && !life_before_ && !life_after_ && is_given_up(now))
        return HalfOpenKind::path_down;
    return std::nullopt;
}

unsigned Suspect::needed(PathLoss loss) const {
    const bool is_unproven =
        is_unproven_ || (last_.what == Suspicion::What::probe && !Before(last_).is_clean());
    const bool needs_more = is_lossy(loss) || (is_unproven && loss != PathLoss::little);
    return confirm_ + (needs_more ? lossy_extra : 0U);
}

bool Suspect::was_reported_late() const {
    return is_reported_late(first_);
}

Sent Suspect::sent_before() const {
    const Before before(first_);
    return {before.sent, before.lost};
}

/// An active flow's SYN counts as one acknowledged byte (net/ipv4/tcp_input.c,
/// tcp_rcv_synsent_state_process()).
bool Suspect::is_unheeded() const {
    return first_.what == Suspicion::What::retransmission && first_.bytes_acked <= 1 &&
           first_.bytes_received == 0;
}

std::optional<HalfOpenKind> Suspect::judge(Monotonic now, PathLoss loss) const {
    if (is_final() || now < last_try_ + 2 * last_.rtt + delayed_ack)
        return std::nullopt;
    if (ended_)
        return judge_ended(now, loss);
    const unsigned least = needed(loss);
    if (tries_ < least)
        return std::nullopt;
    if (life_before_ && life_after_)
        return HalfOpenKind::silently_dropped;
    const bool is_silent = !life_before_ && !life_after_ && heard_ <= previous_try_;
    if (!verdict_ && is_silent && tries_ > least)
        return HalfOpenKind::path_down;
    return std::nullopt;
}

} // namespace ballast::guards
