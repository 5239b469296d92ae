/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
// clang-format off
/*
 * A number over the last second or so, in one word that needs nobody to clear it: what the current
 * epoch has, what the one before had, and which epoch that is. The estimate takes the older one for
 * the part of the last second that the current has not reached (the sliding window counter).
 *
 * Invariants
 * W1  A word of any age reads as what it had in its last two epochs, if these are the last two, and
 *     else as 0; 18 hours later, when the 16 bits of the epoch have gone round, as that once more.
 * W2  Each part stops at BALLAST_WINDOW_MOST.
 * W3  A race lost BALLAST_WINDOW_TRIES times in a row loses one, so that numbers are too small at
 *     worst.
 */
// clang-format on
#ifndef BALLAST_BPF_LIB_WINDOW_H
#define BALLAST_BPF_LIB_WINDOW_H

#include "bpf/lib/atomic.h"
#include "bpf/lib/loop.h"

#define BALLAST_WINDOW_BITS 30 /* of an epoch, in ns: 1.07 s */
#define BALLAST_WINDOW_MOST 0xffffffu
#define BALLAST_WINDOW_TRIES 4

struct ballast_window {
    __u16 epoch;
    __u32 before; /* of the epoch before */
    __u32 now;
};

BALLAST_INLINE struct ballast_window ballast_window_at(__u64 word, __u64 now_ns) {
    __u16 epoch = (__u16)(now_ns >> BALLAST_WINDOW_BITS);
    __u16 then = (__u16)(word >> 48);
    struct ballast_window at = {.epoch = epoch, .before = 0, .now = 0};
    if (then == epoch) {
        at.before = (__u32)(word >> 24) & BALLAST_WINDOW_MOST;
        at.now = (__u32)word & BALLAST_WINDOW_MOST;
    } else if ((__u16)(then + 1) == epoch) {
        at.before = (__u32)word & BALLAST_WINDOW_MOST;
    }
    return at;
}

BALLAST_INLINE __u64 ballast_window_word(struct ballast_window at) {
    return (__u64)at.epoch << 48 | (__u64)at.before << 24 | at.now;
}

/* What it comes to over the last epoch's length. */
BALLAST_INLINE __u32 ballast_window_sum(struct ballast_window at, __u64 now_ns) {
    __u64 into = now_ns & ((1ull << BALLAST_WINDOW_BITS) - 1);
    __u64 left = (1ull << BALLAST_WINDOW_BITS) - into;
    return at.now + (__u32)((at.before * left) >> BALLAST_WINDOW_BITS);
}

/* Adds one; the sum with it. */
BALLAST_INLINE __u32 ballast_window_add(__u64* word, __u64 now_ns) {
    struct ballast_window at = {};
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_WINDOW_TRIES; i++) {
        __u64 was = BALLAST_LOAD(*word);
        at = ballast_window_at(was, now_ns);
        at.now += at.now < BALLAST_WINDOW_MOST;
        if (ballast_swap_if_u64(word, was, ballast_window_word(at)))
            break;
    }
    return ballast_window_sum(at, now_ns);
}

/* Raises it to `value`, if that is more; the most of the last two epochs. */
BALLAST_INLINE __u32 ballast_window_most(__u64* word, __u32 value, __u64 now_ns) {
    struct ballast_window at = {};
    if (value > BALLAST_WINDOW_MOST)
        value = BALLAST_WINDOW_MOST;
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_WINDOW_TRIES; i++) {
        __u64 was = BALLAST_LOAD(*word);
        at = ballast_window_at(was, now_ns);
        if (value <= at.now)
            break;
        at.now = value;
        if (ballast_swap_if_u64(word, was, ballast_window_word(at)))
            break;
    }
    return at.now > at.before ? at.now : at.before;
}

#endif
