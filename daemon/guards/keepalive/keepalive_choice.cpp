// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/keepalive/keepalive_choice.h"

#include <algorithm>

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kLongestInterval = 10 * kSecond;

std::int64_t whole_seconds(std::int64_t ms) {
    return std::max(ms / kSecond, std::int64_t{1}) * kSecond;
}

/// A lost probe leaves the path's timer running: three more fit in before it expires, if whole
/// seconds allow.
std::int64_t interval_for(std::int64_t idle_ms, std::optional<milliseconds> died) {
    const std::int64_t left = died ? (died->count() - idle_ms) / 4 : kLongestInterval;
    return whole_seconds(std::clamp(left, kSecond, kLongestInterval));
}

std::uint32_t count_for(std::int64_t interval_ms) {
    const std::int64_t least = milliseconds(patience).count();
    const auto needed = static_cast<std::uint32_t>((least + interval_ms - 1) / interval_ms);
    return std::max(needed, least_count);
}

Setting own_or_kernel(std::int64_t own, std::int64_t kernel) {
    return own > 0 ? Setting{own, Setter::application} : Setting{kernel, Setter::kernel};
}

Setting tighter(const Setting& before, std::int64_t wanted) {
    return wanted < before.value ? Setting{wanted, Setter::ballast} : before;
}

std::int64_t end_of(const KeepaliveInForce& force) {
    return force.idle_ms.value + force.interval_ms.value * force.count.value;
}

/// With a user timeout the kernel looks at it instead of `count`, so the probes have to fit in.
void fit_into(std::int64_t user_timeout_ms, KeepaliveInForce& force) {
    force.idle_ms = tighter(force.idle_ms, whole_seconds(user_timeout_ms / 2));
    const std::int64_t left = user_timeout_ms - force.idle_ms.value;
    force.interval_ms = tighter(force.interval_ms, whole_seconds(left / force.count.value));
}

void set_user_timeout(const KernelSettings& kernel, KeepaliveInForce& force) {
    Setting& timeout = force.user_timeout_ms;
    const std::int64_t end = end_of(force);
    if (timeout.value == 0) {
        if (end >= least_user_timeout_ms && end < kernel.give_up_ms)
            timeout = {end, Setter::ballast};
    } else if (timeout.value < end) {
        fit_into(timeout.value, force);
    } else {
        timeout = tighter(timeout, std::max(end, least_user_timeout_ms));
    }
}

} // namespace

milliseconds longest_idle(const IdleBracket& bracket, milliseconds start) {
    const milliseconds survived = bracket.survived.value_or(milliseconds(0));
    // The timer may be late, and still has to stay within what was acknowledged.
    const milliseconds proven = survived * late_part / (late_part + 1);
    milliseconds longest = bracket.unsettled ? start : std::max(start, proven);
    if (bracket.died) {
        // Between survived and died nothing is known: the truth is as likely below the half as
        // above.
        const milliseconds half = std::max(proven, *bracket.died / 2);
        longest = std::min({longest, half, *bracket.died * died_percent / 100});
    }
    return std::min(longest, milliseconds(most_idle_ms));
}

Keepalive choose_keepalive(const IdleBracket& bracket, milliseconds start,
                           std::uint32_t flow_number) {
    // Cookies are consecutive numbers: multiplying by 2^32 over the golden ratio spreads them.
    const std::uint32_t place = flow_number * 2'654'435'769U;
    const std::int64_t longest = longest_idle(bracket, start).count();
    const std::int64_t spread = longest * spread_percent / 100;
    Keepalive chosen;
    chosen.idle_ms = whole_seconds(longest - ((spread * place) >> 32));
    chosen.interval_ms = interval_for(chosen.idle_ms, bracket.died);
    chosen.count = count_for(chosen.interval_ms);
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
    const bool has_room = own.user_timeout_ms == 0 || own.user_timeout_ms >= least_room_ms;
    if (!wanted || !has_room)
        return force;
    if (!own.keepalive)
        force.on = {1, Setter::ballast};
    force.idle_ms = tighter(force.idle_ms, wanted->idle_ms);
    force.interval_ms = tighter(force.interval_ms, wanted->interval_ms);
    force.count = tighter(force.count, wanted->count);
    if (force.setter() == Setter::ballast)
        set_user_timeout(kernel, force);
    return force;
}

} // namespace ballast::guards
