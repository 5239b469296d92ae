/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The count of a destination: taking a place under a limit and giving it back.
 *
 * Invariants
 * C1  in_use never exceeds `max` through ballast_take(), under any concurrency.
 * C2  ballast_take() fails at the limit only while in_use is at least `max`: an attempt that fails
 *     never occupies a place, not even for a moment, so it cannot make another fail. (After
 *     BALLAST_TAKE_TRIES lost races it adds, compares and undoes, which keeps C1 and can break C2
 *     for one instruction.)
 * C3  A retired count admits no connection, and only the daemon changes it.
 * C4  in_use never wraps below 0.
 */
#ifndef BALLAST_BPF_LIB_LIMIT_H
#define BALLAST_BPF_LIB_LIMIT_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

enum ballast_take_result {
    BALLAST_TAKEN,
    BALLAST_TAKE_FULL,
    BALLAST_TAKE_RETIRED,
};

#define BALLAST_TAKE_TRIES 8

BALLAST_INLINE enum ballast_take_result ballast_take_contended(__u32* in_use, __u32 max) {
    __u32 old = __sync_fetch_and_add(in_use, 1);
    if (old < max && !(old & BALLAST_RETIRED))
        return BALLAST_TAKEN;
    __sync_fetch_and_sub(in_use, 1);
    return old & BALLAST_RETIRED ? BALLAST_TAKE_RETIRED : BALLAST_TAKE_FULL;
}

/* Takes one place if fewer than `max` (<= BALLAST_UNLIMITED) are taken. */
BALLAST_INLINE enum ballast_take_result ballast_take(__u32* in_use, __u32 max) {
    for (int i = 0; i < BALLAST_TAKE_TRIES; i++) {
        __u32 old = BALLAST_LOAD(*in_use);
        if (old & BALLAST_RETIRED)
            return BALLAST_TAKE_RETIRED;
        if (old >= max)
            return BALLAST_TAKE_FULL;
        if (ballast_swap_if_u32(in_use, old, old + 1))
            return BALLAST_TAKEN;
    }
    return ballast_take_contended(in_use, max);
}

/* Gives one place back; false where none was taken, which is a bug elsewhere (C4). */
BALLAST_INLINE bool ballast_give_back(__u32* in_use) {
    __u32 old = __sync_fetch_and_sub(in_use, 1);
    if (old & ~BALLAST_RETIRED)
        return true;
    __sync_fetch_and_add(in_use, 1);
    return false;
}

#endif
