// SPDX-License-Identifier: Apache-2.0
// What is known of a path's idle timeout, from the silences of its flows. Pure; time is passed in.
//
// A path (firewalls, NAT, load balancers on the way to a destination) forgets a flow that has been
// silent for too long. A flow acknowledged again after a gap shows a longer timeout; one confirmed
// dropped after a gap, a shorter one. Timeouts change, differ from flow to flow, and a confirmed
// drop may have been loss, so nothing is believed forever.
//
// Invariants:
//  1. survived < died wherever both are known. An overlap is held back, and the bound unsettled.
//  2. By time alone died rises, unsettled ends and survived falls; but what is held back returns to
//     survived as died rises, up to half of it.
//  3. An acknowledged gap never lowers survived and never lowers died; one below died is at once
//     part of survived.
//  4. A drop that counts leaves died <= its gap and survived < its gap; one that does not count
//     leaves the bracket as it was. No drop raises survived, none widens died.
//  5. One drop is not believed forever: it does not count when `outvoting` gaps as long were
//     acknowledged since the last drop and that was `calm` ago; it is discarded when longer gaps
//     are acknowledged `discarding` times; and without either, died doubles every `retry.front()`.
//  6. Each further incident makes died last longer, up to `retry.back()`, so a real timeout is hit
//     ever more rarely; and it voids what survived before the incidents.
//  7. A bound that was saved and restored reads like the original at every later time, all in whole
//     milliseconds.
//  8. Gaps are within [shortest, longest] and counters saturate, for any input.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "daemon/util/error.h"

namespace ballast::guards {

/// The idle bound of a path at one time.
struct IdleBracket {
    std::optional<std::chrono::milliseconds> survived; ///< gaps up to this are acknowledged
    std::optional<std::chrono::milliseconds> died;     ///< above survived; a flow was dropped
    /// Flows contradict each other, or the first was seen so recently that a drop of the same time
    /// would not be confirmed yet: trust survived no further than needed.
    bool unsettled = false;
    bool operator==(const IdleBracket&) const = default;
};

/// An IdleBound as plain numbers, for storing. Ages are in milliseconds before the time of saving;
/// a gap of 0 stands for none, and so does an age of -1.
struct IdleBoundState {
    std::int64_t survived_ms = 0;
    std::int64_t survived_age_ms = -1;
    std::int64_t died_ms = 0;
    std::int64_t died_age_ms = -1;
    std::int64_t held_back_ms = 0; ///< survived, but not below died
    std::int64_t held_back_age_ms = -1;
    std::int64_t last_drop_age_ms = -1;
    std::int64_t first_age_ms = -1;
    std::uint32_t incidents = 0;
    std::uint32_t drops = 0;
    std::uint32_t agreeing = 0;
    std::uint32_t contradicting = 0;
    std::uint32_t contested = 0; ///< 0 or 1
    bool operator==(const IdleBoundState&) const = default;
};

class IdleBound {
public:
    using Monotonic = std::chrono::steady_clock::time_point;
    using Gap = std::chrono::milliseconds;

    /// Shorter gaps are of no use: keepalive counts in whole seconds.
    static constexpr Gap shortest = std::chrono::seconds(2);
    /// Longer ones count as this.
    static constexpr Gap longest = std::chrono::hours(24 * 30);
    /// survived halves in this time when nothing confirms it. Firewalls are changed by people,
    /// months apart: a host that was quiet over a weekend still knows 4/5 of what it knew.
    static constexpr Gap half_life = std::chrono::hours(24 * 7);
    /// died doubles in this time after the first incident, the second, and so on.
    static constexpr std::array<Gap, 6> retry{std::chrono::minutes(15), std::chrono::hours(1),
                                              std::chrono::hours(4),    std::chrono::hours(16),
                                              std::chrono::hours(64),   std::chrono::hours(168)};
    /// Drops no further apart than this are one incident: a restarted firewall forgets all flows at
    /// once, and they notice one after the other.
    static constexpr Gap incident = std::chrono::minutes(5);
    /// How long a bound is unsettled after its first evidence. Keepalive takes a minute and a half
    /// to give a flow up, while live ones answer at once.
    static constexpr Gap settling = std::chrono::minutes(2);
    /// See invariant 5.
    static constexpr std::uint32_t outvoting = 64;
    static constexpr Gap calm = std::chrono::hours(6);
    /// Acknowledged gaps beyond died that discard it, per drop. Of flows whose timeouts differ,
    /// more than one in this many is dropped at a gap worth avoiding.
    static constexpr std::uint32_t discarding = 16;
    /// Drops are counted up to this.
    static constexpr std::uint32_t most_drops = 64;
    /// Percent of survived that a gap must have to confirm it. Keepalive chosen from survived
    /// keeps gaps above it (keepalive_choice.h), so a path in use does not fade.
    static constexpr int confirming_percent = 75;
    /// Percent by which gaps may differ and still count as equal: firewalls are not exact.
    static constexpr int blur_percent = 10;

    enum class Verdict : std::uint8_t {
        known,    ///< no news: longer than died; or not within [shortest, longest)
        outvoted, ///< taken for loss (invariant 5)
        counted,
    };

    /// A flow was acknowledged again after `gap`: the time in which no packet went either way.
    void survived(Gap gap, Monotonic now);
    /// A flow is confirmed silently dropped; `gap` as above, before its first unanswered packet.
    /// Call it once the flow has ended so, or has been unanswered for half a minute: one
    /// acknowledged after all was not dropped, and loss alone hardly ever lasts that long.
    Verdict died(Gap gap, Monotonic now);

    /// What is known at `now`. Evidence later than `now` counts as fresh.
    [[nodiscard]] IdleBracket at(Monotonic now) const;

    [[nodiscard]] IdleBoundState save(Monotonic now) const;
    /// `age`: how long ago it was saved, by whatever clock ran on; below 0 counts as 0. Fails,
    /// naming the number, on a state that save() does not give.
    static Result<IdleBound> restore(const IdleBoundState& state, std::chrono::milliseconds age,
                                     Monotonic now);

private:
    struct Evidence {
        Gap gap{0}; ///< 0: none
        Monotonic at;
    };

    static Gap faded(const Evidence& evidence, Monotonic now);
    [[nodiscard]] Gap survived_now(Monotonic now) const;
    [[nodiscard]] Gap retry_now() const;
    [[nodiscard]] std::optional<Gap> died_now(Monotonic now) const;
    [[nodiscard]] bool outvotes(Gap gap, Monotonic now) const;
    void settle(Monotonic now);
    void contradict(Gap gap, Gap died, Monotonic now);
    void count_incident(Monotonic now);
    void lower_survived(Gap dropped, Monotonic now);
    void forget_died();

    Evidence survived_;
    Evidence died_;
    Evidence held_back_;
    std::optional<Monotonic> last_drop_;
    std::optional<Monotonic> first_; ///< heard of the path, whatever the gap
    std::uint32_t incidents_ = 0;
    std::uint32_t drops_ = 0;         ///< since died was set
    std::uint32_t agreeing_ = 0;      ///< acknowledged gaps near survived, since the last drop
    std::uint32_t contradicting_ = 0; ///< beyond died, since the last drop that counted
    bool contested_ = false;
};

} // namespace ballast::guards
