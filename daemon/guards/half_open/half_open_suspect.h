// SPDX-License-Identifier: Apache-2.0
// One flow under suspicion: its unanswered tries, and when its peer showed itself elsewhere. Pure.
//
// Invariants
// H1. Anything received by the flow itself after its silence began clears it; while something waits
//     to be acknowledged, an acknowledgement of it (model/half_open.h, Silence).
// H2. silently_dropped needs signs of the peer, on other flows or to a fresh connect, both between
//     the flow's last two tries and after its last one. So no single outage of the path, however
//     long and wherever it begins, is taken for a drop: the path worked before the last try, which
//     was answered if the outage was over then. If keepalive gave up a flow unwatched, its probes
//     were not reported; then the peer must show itself between the last probe and the end, and
//     after the end, on a path that has not just failed others.
// H3. Nothing is concluded before the last try had time to be answered, nor before `confirm` tries;
//     on a path that loses other flows' packets too, `lossy_extra` more. The same number is needed
//     if the flow has sent too little to show that its path loses few and its neighbours show no
//     more, of keepalive probes and of tries that were reported late.
// H4. A keepalive probe's time is known only to lie between two looks. A sign of the peer counts as
//     before the probe only if before the earlier look, as after it only if after the later.
#pragma once

#include <optional>
#include <span>

#include "daemon/model/half_open.h"

namespace ballast::guards {

using Monotonic = std::chrono::steady_clock::time_point;

/// Segments with data that a flow has sent, and how many of these were retransmissions.
struct Sent {
    std::uint32_t all = 0;
    std::uint32_t again = 0;
};

/// What other flows of its peer show of the path.
enum class PathLoss : std::uint8_t { unknown, little, much };

class Suspect {
public:
    /// The kernel's times are in jiffies of up to 10 ms, and are slightly old when read.
    static constexpr std::chrono::milliseconds margin{25};
    /// How long a receiver may delay its acknowledgement (RFC 1122: 500 ms, Linux: 200 ms).
    static constexpr std::chrono::milliseconds delayed_ack{200};
    /// Extra tries needed on a lossy path: at 20% loss each way, one write in 27,000 is that
    /// unlucky.
    static constexpr unsigned lossy_extra = 6;
    /// How long to wait for the peer of a flow that the kernel gave up, which tries no more.
    static constexpr std::chrono::seconds last_word{2};

    Suspect(const Suspicion& first, unsigned confirm);

    /// Whether `next` belongs to the same silence; if not, something was received meanwhile (H1).
    [[nodiscard]] bool is_same_silence(const Suspicion& next) const;
    void add(const Suspicion& next);

    /// What clears it. Anything received from now on comes long after the silence began, so a
    /// lagging kernel clock does no harm.
    [[nodiscard]] const Silence& silence() const { return silence_; }
    /// When the flow itself last received anything.
    void hear(Monotonic at) { heard_ = std::max(heard_, at); }
    /// It received something without being acknowledged itself.
    [[nodiscard]] bool is_one_way() const { return is_one_way_ || heard_ > silence_.over_after; }

    /// When the peer was last heard of on each other flow, ascending; earlier knowledge is kept.
    void see_life(std::span<const Monotonic> heard);

    /// What to conclude at `now`, if that is more than was concluded before.
    [[nodiscard]] std::optional<HalfOpenKind> judge(Monotonic now, PathLoss loss) const;
    void conclude(HalfOpenKind kind) { verdict_ = kind; }

    [[nodiscard]] std::optional<HalfOpenKind> verdict() const { return verdict_; }
    [[nodiscard]] bool is_final() const { return verdict_ == HalfOpenKind::silently_dropped; }
    [[nodiscard]] bool has_ended() const { return ended_.has_value(); }
    /// It has ended, and nothing more will be learned.
    [[nodiscard]] bool is_given_up(Monotonic now) const {
        return ended_ && now >= *ended_ + last_word;
    }
    [[nodiscard]] unsigned tries() const { return tries_; }
    [[nodiscard]] Monotonic silent_since() const { return silent_since_; }
    [[nodiscard]] Monotonic last_try() const { return last_try_; }
    /// One try short of the number needed: time to look for a witness.
    [[nodiscard]] bool is_nearly_confirmed() const {
        return ended_ || tries_ + 1 >= needed(PathLoss::unknown);
    }
    [[nodiscard]] bool has_life_after() const { return life_after_; }
    /// Lost packets before this silence, as one does on a lossy path.
    [[nodiscard]] bool was_lossy() const { return was_lossy_; }
    /// Its first tries were not reported.
    [[nodiscard]] bool was_reported_late() const;
    /// Before its silence began.
    [[nodiscard]] Sent sent_before() const;
    /// The last report, and the first.
    [[nodiscard]] const Suspicion& last() const { return last_; }
    [[nodiscard]] const Suspicion& first() const { return first_; }
    /// It has sent data, nothing of it was ever acknowledged, and nothing received.
    [[nodiscard]] bool is_unheeded() const;

private:
    void try_again(const Suspicion& next);
    void end(const Suspicion& last);
    [[nodiscard]] unsigned needed(PathLoss loss) const;
    [[nodiscard]] bool is_lossy(PathLoss loss) const {
        return was_lossy_ || loss == PathLoss::much;
    }
    [[nodiscard]] std::optional<HalfOpenKind> judge_ended(Monotonic now, PathLoss loss) const;

    Suspicion last_;
    Suspicion first_;
    unsigned confirm_;
    bool was_lossy_;
    bool is_unproven_; ///< it was reported late, and has sent too little before
    bool is_one_way_;  ///< by the first report: heard of since the try before
    Monotonic silent_since_;
    Monotonic previous_try_;
    Monotonic last_try_;          ///< at the latest
    Monotonic last_try_earliest_; ///< H4
    Monotonic heard_;
    Silence silence_;
    unsigned tries_ = 0;
    unsigned probes_ = 0; ///< of the tries, those of keepalive
    unsigned resent_ = 0; ///< and the others
    bool tail_probed_ = false;
    std::optional<Monotonic> ended_;
    bool life_before_ = false; ///< between the last two tries
    bool life_after_ = false;  ///< after the last one
    std::optional<HalfOpenKind> verdict_;
};

} // namespace ballast::guards
