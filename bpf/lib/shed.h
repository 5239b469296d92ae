/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
// clang-format off
/*
 * When SYNs to a listener are shed, and whose. Pure.
 *
 * By age: what waits at the head of the accept queue has waited for about as long as the next will.
 * Once its least age has been over the target for a whole interval (CoDel, RFC 8289, 4.1 to 4.3: a
 * standing queue, not a burst), the chance c of a SYN to be shed follows the PI law of PIE (RFC 8033,
 * 4.2) over what a new one has to wait, d:
 *
 *     dc/dt = A * (age - target) + B * dd/dt
 *
 * PIE's constants are for links that lose one packet in a hundred. Clients that open r times what is
 * served make dd/dt = r * (1 - c) - 1, so s^2 + r*B*s + r*A = 0: with A = 3 and B = 2 its damping is
 * B/2 * sqrt(r/A) = 0.58 * sqrt(r), more than 0.58 for every r > 1, and it settles within two seconds.
 * The age is that of one who came a while ago, which as the second term would make the law swing; so
 * d there is the queue's depth by the rate of accept(), which is what entered less what depth grew.
 * As CoDel never drops the last packet, the target is not below what two take to be served. Where
 * the queue stays empty, too much is shed, and c falls by itself. c = 0 ends it: the interval has to
 * pass again.
 *
 * By depth: none at `low`, all at `high`, in a line between them.
 *
 * Whose: not that of all alike. The larger of both chances c holds for the source that sends most,
 * and one that sends x is left f = (1 - c) * most: a chance of 1 - f / x, and none below f
 * (approximate fair dropping: Pan, Breslau, Prabhakar, Shenker, 2003). So who sends little is not
 * shed while others send much, and equal ones have equal chances.
 *
 * Invariants
 * S1  Chances are within 0 and BALLAST_WHOLE.
 * S2  A burst shorter than the interval is shed by depth alone.
 * S3  What is shed does not grow with what a source sends less.
 */
// clang-format on
#ifndef BALLAST_BPF_LIB_SHED_H
#define BALLAST_BPF_LIB_SHED_H

#include "bpf/abi_shed.h"
#include "bpf/lib/atomic.h"

#define BALLAST_SHED_UPDATE_NS 15000000ull /* RFC 8033, 5.2: T_UPDATE */
#define BALLAST_SHED_LONGEST_US 1000000u   /* between updates, as far as the law goes */
#define BALLAST_SHED_OLDEST_US 10000000u   /* likewise of ages */
#define BALLAST_SHED_STEP_US 500000u       /* likewise of what depth adds to the wait at a time */
#define BALLAST_SHED_RATE_US 250000u       /* that the rate of accept() is taken over */
#define BALLAST_SHED_EMPTY_US 200000u      /* in which c falls to 0 where the queue stays empty */
#define BALLAST_SHED_A 3                   /* a second, of a second */
#define BALLAST_SHED_B 2                   /* a second */

/* What a SYN finds. */
struct ballast_shed_sight {
    __u64 now_ns;
    __u32 depth;
    __u32 age_us;       /* of the oldest; 0: nobody waits */
    __u32 is_age_known; /* 0: it cannot be read */
};

/* `chance` changed by so much, within S1. */
BALLAST_INLINE __u32 ballast_shed_moved(__u32 chance, bool is_up, __u64 by) {
    if (is_up)
        return by >= BALLAST_WHOLE - chance ? BALLAST_WHOLE : chance + (__u32)by;
    return by >= chance ? 0 : chance - (__u32)by;
}

/* What `depth` connections wait, in us, at a rate in 1024ths a second; the most:
 * BALLAST_SHED_OLDEST_US. */
BALLAST_INLINE __u32 ballast_shed_wait_us(__u32 depth, __u64 rate) {
    __u64 wait_us = rate ? (__u64)depth * 1024 * 1000000 / rate : BALLAST_SHED_OLDEST_US;
    if (!depth)
        return 0;
    return wait_us < BALLAST_SHED_OLDEST_US ? (__u32)wait_us : BALLAST_SHED_OLDEST_US;
}

/* The rate of accept() once `left` more have left within `for_us`. */
BALLAST_INLINE __u64 ballast_shed_rate(__u64 rate, __u32 left, __u32 for_us) {
    __u64 now = (__u64)left * 1024 * 1000000 / for_us;
    return (rate * BALLAST_SHED_RATE_US + now * for_us) / (BALLAST_SHED_RATE_US + for_us);
}

BALLAST_INLINE __u32 ballast_shed_less(__u32 from, __u32 what) {
    return from > what ? from - what : 0;
}

/* The law, over `for_us`. */
BALLAST_INLINE __u32 ballast_shed_next(const struct ballast_shed_socket* of, __u32 target_us,
                                       __u32 age_us, __u32 depth, __u32 for_us) {
    __u64 off = age_us > target_us ? age_us - target_us : target_us - age_us;
    /* us * us = 10^-12 s^2, of 10^9 parts */
    __u32 chance =
        ballast_shed_moved(of->chance, age_us > target_us, BALLAST_SHED_A * off * for_us / 1000);
    bool is_more = depth > of->depth;
    __u32 step_us = ballast_shed_wait_us(is_more ? depth - of->depth : of->depth - depth, of->rate);
    if (step_us > BALLAST_SHED_STEP_US)
        step_us = BALLAST_SHED_STEP_US;
    chance = ballast_shed_moved(chance, is_more, BALLAST_SHED_B * (__u64)step_us * 1000);
    if (!depth && !of->depth)
        chance -= for_us < BALLAST_SHED_EMPTY_US
                      ? (__u32)((__u64)chance * for_us / BALLAST_SHED_EMPTY_US)
                      : chance;
    return chance;
}

/* Takes the time since the last update into account; `for_us` is at least 1. */
BALLAST_INLINE __u32 ballast_shed_update(struct ballast_shed_socket* of,
                                         const struct ballast_shed_rule* rule,
                                         const struct ballast_shed_sight* sight, __u32 for_us) {
    __u32 entered = __sync_lock_test_and_set(&of->entered, 0);
    __u32 least_us = BALLAST_LOAD(of->least_us);
    __u32 depth = sight->depth, was = of->depth;
    of->least_us = ~0u;
    of->rate = ballast_shed_rate(of->rate, ballast_shed_less(was + entered, depth), for_us);
    __u32 target_us = ballast_shed_wait_us(2, of->rate);
    if (!of->rate || target_us > BALLAST_SHED_LONGEST_US)
        target_us = BALLAST_SHED_LONGEST_US;
    if (target_us < rule->target_us || !of->rate)
        target_us = rule->target_us;
    if (least_us <= target_us)
        of->over_since_ns = 0;
    else if (!of->over_since_ns)
        of->over_since_ns = sight->now_ns;
    bool is_standing = of->over_since_ns && sight->now_ns - of->over_since_ns >= rule->interval_ns;
    __u32 chance = 0;
    if (of->chance || is_standing)
        chance = ballast_shed_next(of, target_us, least_us, depth, for_us);
    of->depth = depth;
    of->chance = chance;
    return chance;
}

/* Takes in what a SYN finds; the chance of a SYN to be shed for the age of the oldest. */
BALLAST_INLINE __u32 ballast_shed_by_age(struct ballast_shed_socket* of,
                                         const struct ballast_shed_rule* rule,
                                         const struct ballast_shed_sight* sight) {
    __u64 updated = BALLAST_LOAD(of->updated_ns), now_ns = sight->now_ns;
    __u32 age_us =
        sight->is_age_known ? sight->age_us : ballast_shed_wait_us(sight->depth, of->rate);
    if (!rule->target_us)
        return 0;
    if (age_us > BALLAST_SHED_OLDEST_US)
        age_us = BALLAST_SHED_OLDEST_US;
    if (!updated || age_us < BALLAST_LOAD(of->least_us))
        of->least_us = age_us;
    if (updated && now_ns < updated + BALLAST_SHED_UPDATE_NS)
        return BALLAST_LOAD(of->chance);
    if (!ballast_swap_if_u64(&of->updated_ns, updated, now_ns)) /* another CPU does it */
        return BALLAST_LOAD(of->chance);
    if (!updated) {
        of->depth = sight->depth;
        return 0;
    }
    __u64 for_us = (now_ns - updated) / 1000;
    return ballast_shed_update(of, rule, sight,
                               for_us < BALLAST_SHED_LONGEST_US ? (__u32)for_us
                                                                : BALLAST_SHED_LONGEST_US);
}

/* A SYN is passed: by its accept, it is one more of the queue. */
BALLAST_INLINE void ballast_shed_passed(struct ballast_shed_socket* of) {
    __sync_fetch_and_add(&of->entered, 1);
}

/* `part` of `of`, in parts of a whole. */
BALLAST_INLINE __u32 ballast_shed_part(__u64 of, __u32 part) {
    return (__u32)(of * part / BALLAST_WHOLE);
}

/* The chance that comes of `depth` in a queue of `limit`, of which `reserve` is others'. */
BALLAST_INLINE __u32 ballast_shed_by_depth(const struct ballast_shed_rule* rule, __u32 depth,
                                           __u32 limit) {
    __u64 room = limit - ballast_shed_part(limit, rule->reserve);
    __u64 at = (__u64)depth * BALLAST_WHOLE;
    __u64 low = room * rule->low, high = room * rule->high;
    if (at < low || !depth)
        return 0;
    if (at >= high)
        return BALLAST_WHOLE;
    return (__u32)((at - low) / ((high - low + BALLAST_WHOLE - 1) / BALLAST_WHOLE));
}

/* The chance of a source that sent `sent`, where the one that sent `most` has `chance`. */
BALLAST_INLINE __u32 ballast_shed_of_source(__u32 chance, __u32 sent, __u32 most) {
    if (!sent || sent > most)
        return chance;
    __u64 kept = (__u64)(BALLAST_WHOLE - chance) * most / sent;
    return kept >= BALLAST_WHOLE ? 0 : BALLAST_WHOLE - (__u32)kept;
}

/* The least of SYNs admitted in a second that a share is taken of: shares of a few are chance. */
#define BALLAST_SHARE_LEAST 32

/* The chance of a source that sent `sent`, by its share of what was `admitted`. */
BALLAST_INLINE __u32 ballast_shed_by_share(const struct ballast_shed_rule* rule, __u32 sent,
                                           __u32 admitted) {
    if (!rule->share || !sent)
        return 0;
    if (admitted < BALLAST_SHARE_LEAST)
        admitted = BALLAST_SHARE_LEAST;
    __u64 kept = (__u64)admitted * rule->share / sent;
    return kept >= BALLAST_WHOLE ? 0 : BALLAST_WHOLE - (__u32)kept;
}

#endif
