/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Which keepalive a connection gets, and what becomes of it beside the application's own settings.
 * The arithmetic is that of daemon/guards/keepalive/keepalive_choice.h, which has the reasons; a
 * test compares the two.
 *
 * Invariants
 * K1. Nothing in force is looser than what the application has chosen, nor, where its keepalive is
 *     on, than what the kernel has for it; only the count may be more, where the kernel's would end
 *     a flow within BALLAST_PATIENCE_S.
 * K2. Options that an application sets after Ballast did count as its own.
 * K3. Where nothing is wished, what is in force is what the application has.
 * K4. Keepalive of Ballast's ends no flow that is answered again within BALLAST_PATIENCE_S of its
 *     first probe. Where the application's settings leave less, they stay as they are.
 * K5. TCP_USER_TIMEOUT is never set: the kernel applies it to a shut window, too, even while each
 *     probe of that is answered (net/ipv4/tcp_timer.c, tcp_probe_timer()).
 */
#ifndef BALLAST_BPF_LIB_KEEPALIVE_H
#define BALLAST_BPF_LIB_KEEPALIVE_H

#include "bpf/abi_keepalive.h"
#include "bpf/lib/atomic.h"

#define BALLAST_MOST_IDLE_MS 32767000u /* keepalive_choice.h: most_idle_ms */
#define BALLAST_PATIENCE_S 30u
#define BALLAST_LEAST_PROBES 9u
#define BALLAST_LONGEST_INTERVAL_MS 10000u
#define BALLAST_IDLE_SPREAD 5u /* spread_percent: a fifth */
#define BALLAST_LEAST_FITTED_S 10u
#define BALLAST_STAGGER_LEAST_S 10u
#define BALLAST_STAGGER_MOST_S 30u

struct ballast_keepalive_wish {
    __u32 idle_s;
    __u32 interval_s;
    __u32 count;
    __u32 number;   /* any that stays with the flow */
    __u32 latest_s; /* a probe after so long a silence may come too late; 0: not known */
};

BALLAST_INLINE __u32 ballast_whole_seconds(__u64 ms) {
    return ms < 2000 ? 1 : (__u32)(ms / 1000);
}

/* Below `range`, by the flow's number: consecutive ones are spread. */
BALLAST_INLINE __u32 ballast_place(__u32 number, __u64 range) {
    __u64 place = number * 2654435769u;
    return (__u32)((range * place) >> 32);
}

/* Up to a fifth less. */
BALLAST_INLINE __u32 ballast_jittered_idle(__u32 longest_ms, __u32 number) {
    return ballast_whole_seconds(longest_ms -
                                 ballast_place(number, longest_ms / BALLAST_IDLE_SPREAD));
}

/* Probes until a flow has been given BALLAST_PATIENCE_S. */
BALLAST_INLINE __u32 ballast_patient_count(__u32 interval_s) {
    return (BALLAST_PATIENCE_S + interval_s - 1) / interval_s;
}

/* Three more probes fit in before the path forgets the flow, if the seconds allow. The kernel looks
 * at the idle time again only an interval after a probe, so a longer one would take its place. */
BALLAST_INLINE __u32 ballast_probe_interval(__u32 idle_s, __u32 died_ms) {
    __u64 idle_ms = (__u64)idle_s * 1000, left = BALLAST_LONGEST_INTERVAL_MS;
    if (died_ms)
        left = died_ms > idle_ms ? (died_ms - idle_ms) / 4 : 0;
    __u32 interval = ballast_whole_seconds(
        left < BALLAST_LONGEST_INTERVAL_MS ? left : BALLAST_LONGEST_INTERVAL_MS);
    return interval < idle_s ? interval : idle_s;
}

/*
 * longest_ms, died_ms: what the daemon knows of the path; 0: nothing, and that it never died.
 * number: any that stays with the flow.
 */
BALLAST_INLINE void ballast_choose_keepalive(const struct ballast_keepalive_rule* rule,
                                             __u32 longest_ms, __u32 died_ms, __u32 number,
                                             struct ballast_keepalive_wish* wish) {
    wish->number = number;
    wish->latest_s = 0;
    __u32 least = BALLAST_LEAST_PROBES;
    if (rule->kind == BALLAST_KEEPALIVE_FIXED) {
        wish->idle_s = ballast_jittered_idle(rule->idle_ms, number);
        wish->interval_s = rule->interval_s < wish->idle_s ? rule->interval_s : wish->idle_s;
        least = rule->count;
    } else {
        __u32 longest = longest_ms ? longest_ms : rule->idle_ms;
        if (longest > BALLAST_MOST_IDLE_MS)
            longest = BALLAST_MOST_IDLE_MS;
        __u32 died = longest_ms ? died_ms : 0;
        wish->idle_s = ballast_jittered_idle(longest, number);
        wish->interval_s = ballast_probe_interval(wish->idle_s, died);
        wish->latest_s = died / 1000 * 85 / 100;
    }
    if (!wish->interval_s)
        wish->interval_s = 1;
    wish->count = ballast_patient_count(wish->interval_s);
    if (wish->count < least)
        wish->count = least;
}

/* The application's own settings (K2), from the options as they are now and the kernel's values.
 * kept: NULL where Ballast has written nothing. */
BALLAST_INLINE void ballast_own_keepalive(const struct ballast_kept_keepalive* kept,
                                          const struct ballast_keepalive* now, const __u32* kernel,
                                          struct ballast_keepalive* own) {
    *own = *now;
    if (!kept)
        return;
#pragma GCC unroll 5
    for (__u32 i = 0; i < BALLAST_KEEPALIVE_OPTIONS; i++) {
        if (!(kept->written & (1u << i)) || kept->set[i] != now->value[i])
            continue;
        bool is_chosen = kept->own.chosen & (1u << i);
        own->value[i] = is_chosen ? kept->own.value[i] : kernel[i];
        own->chosen = is_chosen ? own->chosen | (1u << i) : own->chosen & ~(1u << i);
    }
}

/* Puts `wanted` in the place of an option if it is less; what that adds to the options changed. */
BALLAST_INLINE __u32 ballast_lower(__u32* force, __u32 option, __u32 wanted) {
    if (wanted >= force[option])
        return 0;
    force[option] = wanted;
    return 1u << option;
}

BALLAST_INLINE __u64 ballast_patience_of(const __u32* options) {
    return (__u64)options[BALLAST_KEEPALIVE_INTERVAL] * options[BALLAST_KEEPALIVE_COUNT];
}

/* Interval and count for K4, once the idle time is there. `bound`: bits of the options that are no
 * looser than what the application has. False: there are none. */
BALLAST_INLINE bool ballast_make_patient(const struct ballast_keepalive* own, __u32 bound,
                                         __u32* force) {
    __u32* interval = &force[BALLAST_KEEPALIVE_INTERVAL];
    __u32* count = &force[BALLAST_KEEPALIVE_COUNT];
    if (ballast_patience_of(force) >= BALLAST_PATIENCE_S)
        return true;
    if (own->value[BALLAST_KEEPALIVE_ON] && ballast_patience_of(own->value) < BALLAST_PATIENCE_S)
        return false;
    __u32 most = force[BALLAST_KEEPALIVE_IDLE];
    if ((bound & (1u << BALLAST_KEEPALIVE_INTERVAL)) &&
        own->value[BALLAST_KEEPALIVE_INTERVAL] < most)
        most = own->value[BALLAST_KEEPALIVE_INTERVAL];
    __u32 needed = *count ? ballast_patient_count(*count) : most + 1;
    if (needed <= most) {
        *interval = needed;
        return true;
    }
    if (own->chosen & (1u << BALLAST_KEEPALIVE_COUNT))
        return false;
    *count = ballast_patient_count(*interval ? *interval : 1);
    return true;
}

/* Makes room for K4 below the application's user timeout: the kernel looks at that instead of the
 * count (tcp_keepalive_timer()), and its timers may be an eighth late. False: there is none. */
BALLAST_INLINE bool ballast_fit_below(__u32 user_timeout_ms, __u32* force) {
    __u32 seconds = user_timeout_ms / 1000;
    if (!user_timeout_ms)
        return true;
    __u32 room = seconds > BALLAST_PATIENCE_S ? (seconds - BALLAST_PATIENCE_S) * 8 / 9 : 0;
    if (force[BALLAST_KEEPALIVE_IDLE] <= room)
        return true;
    if (room < BALLAST_LEAST_FITTED_S)
        return false;
    force[BALLAST_KEEPALIVE_IDLE] = room;
    return true;
}

BALLAST_INLINE bool ballast_same_options(const __u32* one, const __u32* other) {
    __u32 different = 0;
#pragma GCC unroll 5
    for (__u32 i = 0; i < BALLAST_KEEPALIVE_OPTIONS; i++)
        different |= one[i] ^ other[i];
    return !different;
}

/* The options that a wish leaves in force, in `force`; why it cannot be granted, if so. */
BALLAST_INLINE __u32 ballast_wished_options(const struct ballast_keepalive* own,
                                            const struct ballast_keepalive_wish* wish,
                                            __u32* force) {
    /* What only the kernel has plays no part while keepalive is off. */
    __u32 bound = own->value[BALLAST_KEEPALIVE_ON] ? ~0u : own->chosen;
    force[BALLAST_KEEPALIVE_ON] = 1;
    ballast_lower(force, BALLAST_KEEPALIVE_IDLE, wish->idle_s);
    if (!(bound & (1u << BALLAST_KEEPALIVE_INTERVAL)))
        force[BALLAST_KEEPALIVE_INTERVAL] = wish->interval_s;
    if (!(bound & (1u << BALLAST_KEEPALIVE_COUNT)))
        force[BALLAST_KEEPALIVE_COUNT] = wish->count;
    ballast_lower(force, BALLAST_KEEPALIVE_INTERVAL, wish->interval_s);
    ballast_lower(force, BALLAST_KEEPALIVE_COUNT, wish->count);
    if (ballast_same_options(force, own->value))
        return BALLAST_LACKS_NOTHING;
    if (!ballast_fit_below(own->value[BALLAST_KEEPALIVE_USER_TIMEOUT], force))
        return BALLAST_LACKS_USER_TIMEOUT;
    ballast_lower(force, BALLAST_KEEPALIVE_INTERVAL, force[BALLAST_KEEPALIVE_IDLE]);
    return ballast_make_patient(own, bound, force) ? BALLAST_LACKS_NOTHING : BALLAST_LACKS_PATIENCE;
}

/* Settings in force once a wish is granted, if it is, as far as it tightens (K1, K3). Returns the
 * bits of the options that are Ballast's then; *lack: why none are, if that is not the wish's. */
BALLAST_INLINE __u32 ballast_tighten(const struct ballast_keepalive* own,
                                     const struct ballast_keepalive_wish* wish, bool is_granted,
                                     __u32* force, __u32* lack) {
    *lack = BALLAST_LACKS_NOTHING;
#pragma GCC unroll 5
    for (__u32 i = 0; i < BALLAST_KEEPALIVE_OPTIONS; i++)
        force[i] = own->value[i];
    if (!is_granted)
        return 0;
    *lack = ballast_wished_options(own, wish, force);
    __u32 ours = 0;
#pragma GCC unroll 5
    for (__u32 i = 0; i < BALLAST_KEEPALIVE_OPTIONS; i++) {
        if (*lack != BALLAST_LACKS_NOTHING)
            force[i] = own->value[i];
        else if (force[i] != own->value[i])
            ours |= 1u << i;
    }
    return ours;
}

/* What decides when a flow that is there already is first probed. */
struct ballast_due {
    __u32 elapsed_s;  /* since anything was received */
    __u32 in_force_s; /* idle time that is Ballast's already; 0: none is */
    __u32 own_s;      /* the application's, where its keepalive is on; 0: it is off */
    __u32 is_stale;   /* it was silent while the host slept */
};

/*
 * The idle time for a flow that has been silent already. One whose probe is due would be probed as
 * soon as that is set (net/ipv4/tcp.c, tcp_sock_set_keepidle_locked()), all of a sweep at once, and
 * then in step for good, since the kernel's timers fire on a grid. So the first probes are put off,
 * each by a time of its own. What was put off stays so until something is received.
 */
BALLAST_INLINE __u32 ballast_staggered_idle(const struct ballast_keepalive_wish* wish, __u32 idle_s,
                                            const struct ballast_due* due) {
    if (due->elapsed_s < idle_s && !due->is_stale)
        return idle_s;
    __u32 window = idle_s / 2;
    if (window < BALLAST_STAGGER_LEAST_S || due->is_stale)
        window = BALLAST_STAGGER_LEAST_S;
    if (window > BALLAST_STAGGER_MOST_S)
        window = BALLAST_STAGGER_MOST_S;
    if (wish->latest_s && due->elapsed_s + window > wish->latest_s)
        window = wish->latest_s > due->elapsed_s ? wish->latest_s - due->elapsed_s : 1;
    if (due->in_force_s && due->in_force_s <= due->elapsed_s + window)
        return due->in_force_s;
    __u32 at = due->elapsed_s + 1 + ballast_place(wish->number, window);
    if (due->own_s && at > due->own_s)
        at = due->own_s;
    return at < BALLAST_MOST_IDLE_MS / 1000 ? at : BALLAST_MOST_IDLE_MS / 1000;
}

/* Whose keepalive it is: Ballast's where it set anything. */
BALLAST_INLINE __u8 ballast_keepalive_setter(const struct ballast_keepalive* own, __u32 ours) {
    if (ours)
        return BALLAST_SET_BY_BALLAST;
    return own->value[BALLAST_KEEPALIVE_ON] ? BALLAST_SET_BY_APPLICATION : BALLAST_SET_BY_KERNEL;
}

#endif
