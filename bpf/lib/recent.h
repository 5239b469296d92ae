/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What a destination was used for lately, kept by its connects at the price of a comparison, so
 * that its first failure is not judged as if nothing had gone well before. Approximate: nothing
 * here is atomic.
 */
#ifndef BALLAST_BPF_LIB_RECENT_H
#define BALLAST_BPF_LIB_RECENT_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

/* A period of 2^33 ns is 8.6 s; what is known covers the last two. */
#define BALLAST_RECENT_SHIFT 33

/* What most_used can hold of one period. */
#define BALLAST_RECENT_MOST 0xffffu

/* A connect() was admitted at `now_ns`, CLOCK_MONOTONIC. */
BALLAST_INLINE void ballast_recent_note(struct ballast_destination* destination, __u64 now_ns) {
    __u32 now = (__u32)(now_ns >> BALLAST_RECENT_SHIFT);
    __u32 in_use = BALLAST_LOAD(destination->in_use) & ~BALLAST_RETIRED;
    __u32 most = destination->most_used;
    __u32 mark = destination->mark;
    if (in_use > BALLAST_RECENT_MOST)
        in_use = BALLAST_RECENT_MOST;
    if (now == mark) {
        if (in_use > (most & BALLAST_RECENT_MOST))
            destination->most_used = (most & ~BALLAST_RECENT_MOST) | in_use;
        return;
    }
    __u32 admitted = (__u32)BALLAST_LOAD(destination->admitted);
    destination->mark = now;
    destination->most_used = most << 16 | in_use;
    destination->admitted_before = now == mark + 1 ? destination->admitted_mark : admitted;
    destination->admitted_mark = admitted;
}

/* Connections at a time at the most, in the last two periods in which there were connects. */
BALLAST_INLINE __u32 ballast_recent_use(const struct ballast_destination* destination) {
    __u32 most = BALLAST_LOAD(destination->in_use) & ~BALLAST_RETIRED;
    __u32 kept = BALLAST_LOAD(destination->most_used);
    most = most > kept >> 16 ? most : kept >> 16;
    return most > (kept & BALLAST_RECENT_MOST) ? most : kept & BALLAST_RECENT_MOST;
}

/*
 * Connects of the last two periods that went well for sure, where none was seen to fail: what was
 * admitted and has ended since.
 */
BALLAST_INLINE __u32 ballast_recent_successes(const struct ballast_destination* destination,
                                              __u64 now_ns) {
    __u32 now = (__u32)(now_ns >> BALLAST_RECENT_SHIFT);
    __u32 in_use = BALLAST_LOAD(destination->in_use) & ~BALLAST_RETIRED;
    __u32 admitted = (__u32)BALLAST_LOAD(destination->admitted);
    __u32 before =
        now == destination->mark ? destination->admitted_before : destination->admitted_mark;
    if (now - destination->mark > 1)
        return 0;
    admitted -= before;
    return admitted > in_use && admitted < 0x80000000u ? admitted - in_use : 0;
}

#endif
