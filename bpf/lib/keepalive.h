/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Which keepalive a connection gets, and what becomes of it beside the application's own settings.
 * The arithmetic is that of daemon/guards/keepalive/keepalive_choice.h, which has the reasons; a
 * test compares the two.
 *
 * Invariants
 * K1. Nothing in force is looser than what the application has, by itself or from the kernel.
 * K2. Options that an application sets after Ballast did count as its own.
 * K3. Where nothing is wished, what is in force is what the application has.
 */
#ifndef BALLAST_BPF_LIB_KEEPALIVE_H
#define BALLAST_BPF_LIB_KEEPALIVE_H

#include "bpf/abi_keepalive.h"
#include "bpf/lib/atomic.h"

#define BALLAST_LEAST_USER_TIMEOUT_MS 30000u /* keepalive_choice.h: least_user_timeout_ms */
#define BALLAST_LEAST_ROOM_MS 10000u         /* least_room_ms */
#define BALLAST_MOST_IDLE_MS 32767000u       /* most_idle_ms */
#define BALLAST_PATIENCE_S 30u
#define BALLAST_LEAST_PROBES 9u
#define BALLAST_LONGEST_INTERVAL_MS 10000u

struct ballast_keepalive_wish {
    __u32 idle_s;
    __u32 interval_s;
    __u32 count;
};

BALLAST_INLINE __u32 ballast_whole_seconds(__u64 ms) {
    return ms < 2000 ? 1 : (__u32)(ms / 1000);
}

/* Up to a tenth less, by the flow's number: consecutive ones are spread. */
BALLAST_INLINE __u32 ballast_jittered_idle(__u32 longest_ms, __u32 number) {
    __u64 spread = longest_ms / 10, place = number * 2654435769u;
    return ballast_whole_seconds(longest_ms - ((spread * place) >> 32));
}

/* Three more probes fit in before the path forgets the flow, if the seconds allow. */
BALLAST_INLINE __u32 ballast_probe_interval(__u32 idle_s, __u32 died_ms) {
    __u64 idle_ms = (__u64)idle_s * 1000, left = BALLAST_LONGEST_INTERVAL_MS;
    if (died_ms)
        left = died_ms > idle_ms ? (died_ms - idle_ms) / 4 : 0;
    return ballast_whole_seconds(left < BALLAST_LONGEST_INTERVAL_MS ? left
                                                                    : BALLAST_LONGEST_INTERVAL_MS);
}

/*
 * longest_ms, died_ms: what the daemon knows of the path; 0: nothing, and that it never died.
 * number: any that stays with the flow.
 */
BALLAST_INLINE void ballast_choose_keepalive(const struct ballast_keepalive_rule* rule,
                                             __u32 longest_ms, __u32 died_ms, __u32 number,
                                             struct ballast_keepalive_wish* wish) {
    if (rule->kind == BALLAST_KEEPALIVE_FIXED) {
        wish->idle_s = ballast_jittered_idle(rule->idle_ms, number);
        wish->interval_s = rule->interval_s;
        wish->count = rule->count;
        return;
    }
    __u32 longest = longest_ms ? longest_ms : rule->idle_ms;
    if (longest > BALLAST_MOST_IDLE_MS)
        longest = BALLAST_MOST_IDLE_MS;
    wish->idle_s = ballast_jittered_idle(longest, number);
    wish->interval_s = ballast_probe_interval(wish->idle_s, longest_ms ? died_ms : 0);
    wish->count = (BALLAST_PATIENCE_S + wish->interval_s - 1) / wish->interval_s;
    if (wish->count < BALLAST_LEAST_PROBES)
        wish->count = BALLAST_LEAST_PROBES;
}

/* How long the kernel repeats unacknowledged data (net/ipv4/tcp_timer.c, retransmits_timed_out()):
 * from 200 ms doubling up to 120 s. retries: net.ipv4.tcp_retries2. */
BALLAST_INLINE __u32 ballast_give_up_ms(__u32 retries) {
    const __u32 doublings = 9;
    if (retries <= doublings)
        return ((2u << retries) - 1) * 200;
    return ((2u << doublings) - 1) * 200 + (retries - doublings) * 120000;
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

BALLAST_INLINE __u32 ballast_fit_user_timeout(__u32* force, __u32 give_up_ms) {
    __u32* timeout = &force[BALLAST_KEEPALIVE_USER_TIMEOUT];
    __u64 end = (force[BALLAST_KEEPALIVE_IDLE] +
                 (__u64)force[BALLAST_KEEPALIVE_INTERVAL] * force[BALLAST_KEEPALIVE_COUNT]) *
                1000;
    if (!*timeout) {
        if (end < BALLAST_LEAST_USER_TIMEOUT_MS || end >= give_up_ms)
            return 0;
        *timeout = (__u32)end;
        return 1u << BALLAST_KEEPALIVE_USER_TIMEOUT;
    }
    if (*timeout >= end) /* K1: and so less than 32 bits */
        return ballast_lower(force, BALLAST_KEEPALIVE_USER_TIMEOUT,
                             end > BALLAST_LEAST_USER_TIMEOUT_MS ? (__u32)end
                                                                 : BALLAST_LEAST_USER_TIMEOUT_MS);
    /* The kernel looks at it instead of the count, so the probes have to fit in. */
    __u32 count = force[BALLAST_KEEPALIVE_COUNT] ? force[BALLAST_KEEPALIVE_COUNT] : 1;
    __u32 ours = ballast_lower(force, BALLAST_KEEPALIVE_IDLE, ballast_whole_seconds(*timeout / 2));
    __u64 left = *timeout - (__u64)force[BALLAST_KEEPALIVE_IDLE] * 1000;
    return ours |
           ballast_lower(force, BALLAST_KEEPALIVE_INTERVAL, ballast_whole_seconds(left / count));
}

/* Settings in force once a wish is granted, if it is, as far as it tightens (K1, K3). Returns the
 * bits of the options that are Ballast's then. */
BALLAST_INLINE __u32 ballast_tighten(const struct ballast_keepalive* own,
                                     const struct ballast_keepalive_wish* wish, bool is_granted,
                                     __u32 give_up_ms, __u32* force) {
#pragma GCC unroll 5
    for (__u32 i = 0; i < BALLAST_KEEPALIVE_OPTIONS; i++)
        force[i] = own->value[i];
    __u32 timeout = own->value[BALLAST_KEEPALIVE_USER_TIMEOUT];
    if (!is_granted || (timeout && timeout < BALLAST_LEAST_ROOM_MS))
        return 0;
    __u32 ours = own->value[BALLAST_KEEPALIVE_ON] ? 0 : 1u << BALLAST_KEEPALIVE_ON;
    force[BALLAST_KEEPALIVE_ON] = 1;
    ours |= ballast_lower(force, BALLAST_KEEPALIVE_IDLE, wish->idle_s);
    ours |= ballast_lower(force, BALLAST_KEEPALIVE_INTERVAL, wish->interval_s);
    ours |= ballast_lower(force, BALLAST_KEEPALIVE_COUNT, wish->count);
    return ours ? ours | ballast_fit_user_timeout(force, give_up_ms) : 0;
}

/* Whose keepalive it is: Ballast's where it set anything. */
BALLAST_INLINE __u8 ballast_keepalive_setter(const struct ballast_keepalive* own, __u32 ours) {
    if (ours)
        return BALLAST_SET_BY_BALLAST;
    return own->value[BALLAST_KEEPALIVE_ON] ? BALLAST_SET_BY_APPLICATION : BALLAST_SET_BY_KERNEL;
}

#endif
