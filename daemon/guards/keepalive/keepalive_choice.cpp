// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/keepalive_choice.h"

#include <algorithm>

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kLongestInterval = 10 * kSecond;
constexpr std::int64_t kPatience = milliseconds(patience).count();

std::int64_t whole_seconds(std::int64_t ms) {
    return std::max(ms / kSecond, std::int64_t{1}) * kSecond;
}

/// A lost probe leaves the path's timer running: three more fit in before it expires, if whole
/// seconds allow. The kernel looks at the idle time again only an interval after a probe, so a
/// longer one would take its place.
std::int64_t interval_for(std::int64_t idle_ms, std::optional<milliseconds> died) {
    const std::int64_t left = died ? (died->count() - idle_ms) / 4 : kLongestInterval;
    return std::min(whole_seconds(std::clamp(left, kSecond, kLongestInterval)), idle_ms);
}

/// The least that, times `one`, is the patience; in whole seconds where `one` is a count.
std::int64_t patient_count(std::int64_t interval_ms) {
    return (kPatience + interval_ms - 1) / interval_ms;
}
std::int64_t patient_interval(std::int64_t count) {
    return (kPatience / kSecond + count - 1) / count * kSecond;
}

Setting own_or_kernel(std::int64_t own, std::int64_t kernel) {
    return own > 0 ? Setting{own, Setter::application} : Setting{kernel, Setter::kernel};
}

Setting tighter(const Setting& before, std::int64_t wanted) {
    return wanted < before.value ? Setting{wanted, Setter::ballast} : before;
}

Setting changed(const Setting& before, std::int64_t wanted) {
    return wanted != before.value ? Setting{wanted, Setter::ballast} : before;
}

std::int64_t patience_of(const KeepaliveInForce& force) {
    return force.interval_ms.value * force.count.value;
}

/// Leaves the patience below the user timeout; false where there is no room.
bool fit_below(const Setting& user_timeout_ms, Setting& idle_ms) {
    const std::int64_t seconds = user_timeout_ms.value / kSecond;
    if (user_timeout_ms.value == 0)
        return true;
    const std::int64_t left = std::max(seconds - kPatience / kSecond, std::int64_t{0});
    const std::int64_t room = left * late_part / (late_part + 1) * kSecond;
    if (idle_ms.value > room && room < least_fitted_ms)
        return false;
    idle_ms = tighter(idle_ms, room);
    return true;
}

/// Interval and count for the patience; `before`: those without Ballast. False: there are none.
bool make_patient(const KeepaliveInForce& before, KeepaliveInForce& force) {
    if (patience_of(force) >= kPatience)
        return true;
    const bool is_on = before.on.value != 0;
    if (is_on && patience_of(before) < kPatience)
        return false;
    const bool is_bound = is_on || before.interval_ms.setter == Setter::application;
    const std::int64_t most =
        is_bound ? std::min(force.idle_ms.value, before.interval_ms.value) : force.idle_ms.value;
    if (const auto count = force.count.value; count > 0 && patient_interval(count) <= most)
        force.interval_ms = changed(before.interval_ms, patient_interval(count));
    else if (before.count.setter == Setter::application)
        return false;
    else
        force.count = changed(before.count, patient_count(force.interval_ms.value));
    return true;
}

/// What a wish leaves in force; why nothing, if so.
Lack grant(const Keepalive& wanted, const KeepaliveInForce& before, KeepaliveInForce& force) {
    const bool is_on = before.on.value != 0;
    const auto play_part = [&](const Setting& one) {
        return is_on || one.setter == Setter::application;
    };
    if (!is_on)
        force.on = {1, Setter::ballast};
    force.idle_ms = tighter(force.idle_ms, wanted.idle_ms);
    force.interval_ms = play_part(before.interval_ms)
                            ? tighter(force.interval_ms, wanted.interval_ms)
                            : changed(force.interval_ms, wanted.interval_ms);
    force.count = play_part(before.count) ? tighter(force.count, wanted.count)
                                          : changed(force.count, wanted.count);
    if (force == before)
        return Lack::nothing;
    if (!fit_below(force.user_timeout_ms, force.idle_ms))
        return Lack::user_timeout;
    force.interval_ms = tighter(force.interval_ms, force.idle_ms.value);
    return make_patient(before, force) ? Lack::nothing : Lack::probes;
}

} // namespace

milliseconds longest_idle(const IdleBracket& bracket, milliseconds start, milliseconds max) {
    const milliseconds survived = bracket.survived.value_or(milliseconds(0));
    // The timer may be late, and still has to stay within what was acknowledged.
    const milliseconds proven = survived * late_part / (late_part + 1);
    milliseconds longest = bracket.unsettled ? start : std::max(start, std::min(proven, max));
    if (bracket.died) {
        // Between survived and died nothing is known: the truth is as likely below the half as
        // above.
        const milliseconds half = std::max(proven, *bracket.died / 2);
        longest = std::min({longest, half, *bracket.died * died_percent / 100});
    }
    return std::min(longest, milliseconds(most_idle_ms));
}

Keepalive choose_keepalive(const IdleBracket& bracket, milliseconds start, milliseconds max,
                           std::uint32_t flow_number) {
    // Cookies are consecutive numbers: multiplying by 2^32 over the golden ratio spreads them.
    const std::uint32_t place = flow_number * 2'654'435'769U;
    const std::int64_t longest = longest_idle(bracket, start, max).count();
    const std::int64_t spread = longest * spread_percent / 100;
    Keepalive chosen;
    chosen.idle_ms = whole_seconds(longest - ((spread * place) >> 32));
    chosen.interval_ms = interval_for(chosen.idle_ms, bracket.died);
    chosen.count =
        std::max(static_cast<std::uint32_t>(patient_count(chosen.interval_ms)), least_count);
    return chosen;
}

Setter KeepaliveInForce::setter() const {
    for (const Setting* setting : {&on, &idle_ms, &interval_ms, &count, &user_timeout_ms})
        if (setting->setter == Setter::ballast)
            return Setter::ballast;
    return on.setter;
}

KeepaliveInForce tightened(const SocketSettings& own, const KernelSettings& kernel,
                           const std::optional<Keepalive>& wanted) {
    KeepaliveInForce force;
    force.on = own.keepalive ? Setting{1, Setter::application} : Setting{0, Setter::kernel};
    force.idle_ms = own_or_kernel(own.idle_ms, kernel.idle_ms);
    force.interval_ms = own_or_kernel(own.interval_ms, kernel.interval_ms);
    force.count = own_or_kernel(own.count, kernel.count);
    force.user_timeout_ms = own_or_kernel(own.user_timeout_ms, 0);
    if (!wanted)
        return force;
    KeepaliveInForce granted = force;
    force.lack = grant(*wanted, force, granted);
    if (force.lack != Lack::nothing)
        return force;
    // what came to the same in the end is not Ballast's
    granted.interval_ms = changed(force.interval_ms, granted.interval_ms.value);
    granted.count = changed(force.count, granted.count.value);
    return granted;
}

} // namespace ballast::guards
