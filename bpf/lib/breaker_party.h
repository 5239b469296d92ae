/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Who takes part in a breaker's window: BALLAST_BREAKER_PARTIES consumers, each with the moments at
 * which it last failed and last succeeded. From that follows for whom a breaker opens: for those
 * alone that fail, or for all where most consumers do.
 *
 * Invariants
 * P1  One consumer alone, whatever it does, opens for itself only: for everybody takes failures of
 *     two cgroups, and of more consumers than were successful. Network namespaces alone do not make
 *     two, since any user can make those.
 * P2  The record of a consumer that the breaker is open for is not given to another.
 * P3  Moments are stored without locks: a race costs one consumer's last moment, which its next
 *     attempt writes again.
 */
#ifndef BALLAST_BPF_LIB_BREAKER_PARTY_H
#define BALLAST_BPF_LIB_BREAKER_PARTY_H

#include "bpf/lib/breaker_word.h"

/* Unit of time of the records: 32 bits of it last 8 years. */
#define BALLAST_PARTY_SHIFT 6
#define BALLAST_PARTY_MS (1u << BALLAST_PARTY_SHIFT)

/* Never 0, which means never. */
BALLAST_INLINE __u32 ballast_party_time(__u64 now_ms) {
    return (__u32)(now_ms >> BALLAST_PARTY_SHIFT) | 1;
}

BALLAST_INLINE __u64 ballast_party_id(__u64 cgroup, __u32 netns) {
    return cgroup << 32 | netns;
}

/* Whether `then` is at most `units` before `now`. */
BALLAST_INLINE bool ballast_party_recent(__u32 then, __u32 now, __u32 units) {
    return then && now - then <= units;
}

/* Whether the last that a consumer met within `units` is a failure. */
BALLAST_INLINE bool ballast_party_fails(__u32 failed, __u32 succeeded, __u32 now, __u32 units) {
    return ballast_party_recent(failed, now, units) &&
           (!succeeded || now - succeeded >= now - failed);
}

/* What the loops over the records ask of each is a function of its own: the verifier takes its
 * result for any number and need not follow both ways of it through all that comes after. */
BALLAST_STEP __u32 ballast_party_is(const struct ballast_breaker* breaker, __u32 i, __u64 who) {
    return breaker &&
           BALLAST_LOAD(breaker->parties[ballast_bounded(i, BALLAST_BREAKER_PARTIES)].who) == who;
}

/* The bit of a consumer in a scope; 0: the breaker does not know it. */
BALLAST_INLINE __u32 ballast_party_bit(const struct ballast_breaker* breaker, __u64 who) {
    __u32 bits = 0;
    if (!who)
        return 0;
    BALLAST_ROLLED
    for (__u32 i = 0; i < BALLAST_BREAKER_PARTIES; i++)
        bits |= (ballast_party_is(breaker, i, who) & 1) << i;
    return bits;
}

/* How long ago record `i` was written, and behind that, in the lowest 4 bits, i + 1; 0: it is in
 * `scope`, and stays (P2). */
BALLAST_STEP __u64 ballast_party_age(const struct ballast_breaker* breaker, __u32 i, __u32 scope,
                                     __u32 now) {
    if (!breaker || scope & (1u << (i & 7)))
        return 0;
    const struct ballast_breaker_party* party =
        &breaker->parties[ballast_bounded(i, BALLAST_BREAKER_PARTIES)];
    __u32 failed = now - BALLAST_LOAD(party->failed);
    __u32 succeeded = now - BALLAST_LOAD(party->succeeded);
    __u32 age = failed < succeeded ? failed : succeeded;
    if (!BALLAST_LOAD(party->who))
        age = ~0u;
    return (__u64)age << 4 | (i + 1);
}

/* Gives the consumer the record that was used least recently. */
BALLAST_STEP int ballast_party_enter(struct ballast_breaker* breaker, __u64 who, __u32 scope,
                                     __u32 now) {
    __u64 oldest = 0;
    if (!breaker)
        return 0;
    BALLAST_ROLLED
    for (__u32 i = 0; i < BALLAST_BREAKER_PARTIES; i++) {
        __u64 age = ballast_party_age(breaker, i, scope, now);
        oldest = age > oldest ? age : oldest;
    }
    if (!oldest)
        return 0;
    struct ballast_breaker_party* party =
        &breaker->parties[ballast_bounded((__u32)(oldest & 15) - 1, BALLAST_BREAKER_PARTIES)];
    __u64 before = BALLAST_LOAD(party->who);
    if (!ballast_swap_if_u64(&party->who, before, who))
        return 0;
    BALLAST_STORE(party->failed, 0);
    BALLAST_STORE(party->succeeded, 0);
    return 1;
}

/* Writes `now` where the consumer of a scope's bit has it. */
BALLAST_STEP int ballast_party_store(struct ballast_breaker* breaker, __u32 bit, __u32 success,
                                     __u32 now) {
    if (!breaker)
        return 0;
    BALLAST_ROLLED
    for (__u32 i = 0; i < BALLAST_BREAKER_PARTIES; i++) {
        if (!(bit >> i & 1))
            continue;
        if (success)
            BALLAST_STORE(breaker->parties[i].succeeded, now);
        else
            BALLAST_STORE(breaker->parties[i].failed, now);
    }
    return 0;
}

/* Records what a consumer met. */
BALLAST_STEP int ballast_party_record(struct ballast_breaker* breaker, __u64 who, __u32 success,
                                      __u64 now_ms) {
    __u32 now = ballast_party_time(now_ms);
    if (!breaker)
        return 0;
    __u32 bit = ballast_party_bit(breaker, who);
    if (!bit && who &&
        ballast_party_enter(breaker, who, ballast_breaker_scope(BALLAST_LOAD(breaker->word)), now))
        bit = ballast_party_bit(breaker, who);
    return bit ? ballast_party_store(breaker, bit, success, now) : 0;
}

#define BALLAST_PARTY_FAILS 1u
#define BALLAST_PARTY_WELL 2u

/* What the last attempts within `units` of record `i`'s consumer came to; 0: there were none. */
BALLAST_STEP __u32 ballast_party_standing(const struct ballast_breaker* breaker, __u32 i, __u32 now,
                                          __u32 units) {
    if (!breaker)
        return 0;
    const struct ballast_breaker_party* party =
        &breaker->parties[ballast_bounded(i, BALLAST_BREAKER_PARTIES)];
    __u32 succeeded = BALLAST_LOAD(party->succeeded);
    if (!BALLAST_LOAD(party->who))
        return 0;
    if (ballast_party_fails(BALLAST_LOAD(party->failed), succeeded, now, units))
        return BALLAST_PARTY_FAILS;
    return ballast_party_recent(succeeded, now, units) ? BALLAST_PARTY_WELL : 0;
}

/* For whom a breaker opens whose window has reached its limits: a scope, 0: everybody (P1). */
BALLAST_STEP __u32 ballast_party_culprits(struct ballast_breaker* breaker, __u64 now_ms,
                                          __u32 window_ms) {
    __u32 now = ballast_party_time(now_ms);
    __u32 units = (window_ms >> BALLAST_PARTY_SHIFT) + 1;
    __u32 scope = 0, failing = 0, well = 0;
    __u32 any = 0, all = ~0u; /* bits of the failing cgroups: the same in both where there is one */
    if (!breaker)
        return 0;
    BALLAST_ROLLED
    for (__u32 i = 0; i < BALLAST_BREAKER_PARTIES; i++) {
        __u32 standing = ballast_party_standing(breaker, i, now, units);
        __u32 fails = standing & BALLAST_PARTY_FAILS;
        __u32 cgroup = (__u32)(BALLAST_LOAD(breaker->parties[i].who) >> 32);
        any |= cgroup & (0 - fails);
        all &= cgroup | ~(0 - fails);
        scope |= fails << i;
        failing += fails;
        well += standing >> 1 & 1;
    }
    return any != all && failing > well ? 0 : scope;
}

#endif
