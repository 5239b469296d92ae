// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/idle_bound.h"

#include <algorithm>
#include <cmath>

namespace ballast::guards {

namespace {

using Gap = IdleBound::Gap;
using Monotonic = IdleBound::Monotonic;

/// The greatest age: everything has faded long before.
constexpr Gap kOldest = std::chrono::hours(24 * 3650);

Gap age_of(Monotonic at, Monotonic now) {
    return std::clamp(std::chrono::duration_cast<Gap>(now - at), Gap(0), kOldest);
}

double halvings(Gap age, Gap half_life) {
    return static_cast<double>(age.count()) / static_cast<double>(half_life.count());
}

Gap scaled(Gap gap, double factor) {
    const double ms = static_cast<double>(gap.count()) * factor;
    const auto most = IdleBound::longest.count();
    return ms < static_cast<double>(most) ? Gap(static_cast<std::int64_t>(ms)) : IdleBound::longest;
}

Gap percent(Gap gap, int part) {
    return gap * part / 100;
}

} // namespace

/// 0 if nothing is left.
Gap IdleBound::faded(const Evidence& evidence, Monotonic now) {
    const Gap left =
        scaled(evidence.gap, std::exp2(-halvings(age_of(evidence.at, now), half_life)));
    return left < shortest ? Gap(0) : left;
}

Gap IdleBound::retry_now() const {
    return retry.at(std::clamp<std::size_t>(incidents_, 1, retry.size()) - 1);
}

std::optional<Gap> IdleBound::died_now(Monotonic now) const {
    if (died_.gap == Gap(0))
        return std::nullopt;
    return scaled(died_.gap, std::exp2(halvings(age_of(died_.at, now), retry_now())));
}

void IdleBound::forget_died() {
    died_ = {};
    drops_ = 0;
    contradicting_ = 0;
    contested_ = false;
}

/// Applies the effects of time alone; calls in between make no difference.
void IdleBound::settle(Monotonic now) {
    if (died_now(now) >= longest)
        forget_died();
    if (age_of(died_.at, now) >= retry_now())
        contested_ = false;
    const auto died = died_now(now);
    const bool has_returned = !died || (incidents_ <= 1 && held_back_.gap < *died / 2);
    if (!has_returned)
        return;
    if (faded(held_back_, now) > faded(survived_, now))
        survived_ = held_back_;
    held_back_ = {};
}

/// What was given up for one incident returns gradually: if it was no false alarm, only a few flows
/// are hit.
Gap IdleBound::survived_now(Monotonic now) const {
    const Gap survived = faded(survived_, now);
    const auto died = died_now(now);
    if (!died || incidents_ > 1)
        return survived;
    const Gap returned = std::min(faded(held_back_, now), *died / 2);
    return std::max(survived, returned < shortest ? Gap(0) : returned);
}

void IdleBound::survived(Gap gap, Monotonic now) {
    first_ = first_.value_or(now);
    if (gap < shortest)
        return;
    gap = std::min(gap, longest);
    settle(now);
    if (const auto died = died_now(now); died && gap >= *died) {
        contradict(gap, *died, now);
        return;
    }
    if (gap >= faded(survived_, now))
        survived_ = {gap, now};
    else if (gap >= percent(survived_.gap, confirming_percent))
        survived_.at = std::max(survived_.at, now);
    else
        return;
    agreeing_ = std::min(agreeing_ + 1, outvoting);
}

/// A flow survived a gap after which another was dropped.
void IdleBound::contradict(Gap gap, Gap died, Monotonic now) {
    if (gap >= faded(held_back_, now))
        held_back_ = {gap, now};
    contested_ = contested_ || gap >= percent(died, 100 + blur_percent);
    if (++contradicting_ >= discarding * drops_)
        forget_died();
    settle(now);
}

/// After a long calm, a drop amid many acknowledged gaps as long was most likely loss. A changed
/// firewall shows itself again at the next gap.
bool IdleBound::outvotes(Gap gap, Monotonic now) const {
    const bool is_calm = !last_drop_ || age_of(*last_drop_, now) >= calm;
    return is_calm && agreeing_ >= outvoting && survived_now(now) >= gap;
}

IdleBound::Verdict IdleBound::died(Gap gap, Monotonic now) {
    first_ = first_.value_or(now);
    if (gap < shortest || gap >= longest)
        return Verdict::known;
    settle(now);
    const Gap known = died_now(now).value_or(longest);
    if (gap > percent(known, 100 + blur_percent)) {
        drops_ = std::min(drops_ + 1, most_drops);
        return Verdict::known;
    }
    const bool is_outvoted = outvotes(gap, now);
    if (!is_outvoted) {
        count_incident(now);
        lower_survived(gap, now);
        died_ = {std::min(gap, known), now};
        drops_ = std::min(drops_ + 1, most_drops);
        contradicting_ = 0;
    }
    last_drop_ = now;
    agreeing_ = 0;
    return is_outvoted ? Verdict::outvoted : Verdict::counted;
}

void IdleBound::count_incident(Monotonic now) {
    const Gap since = last_drop_ ? age_of(*last_drop_, now) : kOldest;
    if (since <= incident && incidents_ > 0)
        return;
    const bool is_old_story = since > 4 * retry_now();
    const auto most = static_cast<std::uint32_t>(retry.size());
    incidents_ = is_old_story ? 1 : std::min(incidents_ + 1, most);
    held_back_ = {};
}

/// survived < dropped afterwards. After a first incident, which may be a false alarm, what is given
/// up is held back.
void IdleBound::lower_survived(Gap dropped, Monotonic now) {
    const Gap before = survived_now(now);
    if (before < dropped) {
        if (survived_.gap >= dropped) // it must no longer be confirmed up to there
            survived_ = before == Gap(0) ? Evidence{} : Evidence{before, now};
        return;
    }
    if (dropped >= percent(before, 100 - blur_percent)) {
        const Gap rest = percent(dropped, 100 - blur_percent);
        survived_ = rest < shortest ? Evidence{} : Evidence{rest, now};
        return;
    }
    if (incidents_ <= 1 && faded(survived_, now) > faded(held_back_, now))
        held_back_ = survived_;
    survived_ = {};
    contested_ = true;
}

IdleBracket IdleBound::at(Monotonic now) const {
    IdleBound then = *this;
    then.settle(now);
    IdleBracket bracket{
        .survived = std::nullopt, .died = then.died_now(now), .unsettled = then.contested_};
    if (const Gap survived = then.survived_now(now); survived > Gap(0))
        bracket.survived = survived;
    if (first_ && age_of(*first_, now) < settling)
        bracket.unsettled = true;
    return bracket;
}

} // namespace ballast::guards
