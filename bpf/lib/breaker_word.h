/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Layout of a breaker's words.
 *
 *   word     state 2 | level of back-off 6 | generation 8 | deadline_ms 48
 *   probes   0 24 | generation 8 | succeeded 16 | undecided 16
 *
 * A zeroed breaker is closed.
 */
#ifndef BALLAST_BPF_LIB_BREAKER_WORD_H
#define BALLAST_BPF_LIB_BREAKER_WORD_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"
#include "bpf/lib/loop.h"

/* Looks at a word that others change, before giving up; what that means stands where it is used. */
#define BALLAST_BREAKER_TRIES 8

#define BALLAST_BREAKER_MAX_LEVEL 63u
#define BALLAST_BREAKER_DEADLINE_BITS 48

/* One store that the compiler may neither repeat nor split. */
#define BALLAST_STORE(word, value) (*(volatile __typeof__(word)*)&(word) = (value))

BALLAST_INLINE __u32 ballast_breaker_state(__u64 word) {
    return (__u32)(word >> 62);
}

BALLAST_INLINE __u32 ballast_breaker_level(__u64 word) {
    return (__u32)(word >> 56) & BALLAST_BREAKER_MAX_LEVEL;
}

BALLAST_INLINE __u32 ballast_breaker_generation(__u64 word) {
    return (__u32)(word >> BALLAST_BREAKER_DEADLINE_BITS) & 0xff;
}

/* CLOCK_MONOTONIC; 0 in a closed breaker. */
BALLAST_INLINE __u64 ballast_breaker_deadline_ms(__u64 word) {
    return word & ((1ull << BALLAST_BREAKER_DEADLINE_BITS) - 1);
}

/* The successor of `word`, of the next generation. level: 0..BALLAST_BREAKER_MAX_LEVEL. */
BALLAST_INLINE __u64 ballast_breaker_next(__u64 word, __u32 state, __u32 level, __u64 deadline_ms) {
    __u64 generation = (ballast_breaker_generation(word) + 1) & 0xff;
    return (__u64)state << 62 | (__u64)level << 56 | generation << BALLAST_BREAKER_DEADLINE_BITS |
           ballast_breaker_deadline_ms(deadline_ms);
}

/* Probes that were admitted and have not come back with a verdict. */
BALLAST_INLINE __u32 ballast_probes_undecided(__u64 probes) {
    return (__u32)probes & 0xffff;
}

BALLAST_INLINE __u32 ballast_probes_succeeded(__u64 probes) {
    return (__u32)(probes >> 16) & 0xffff;
}

/* `probes` after one of its undecided has succeeded. */
BALLAST_INLINE __u64 ballast_probes_succeed(__u64 probes) {
    return probes - 1 + (1u << 16);
}

/* The initial value of a half-open period of `generation`. */
BALLAST_INLINE __u64 ballast_probes_none(__u32 generation) {
    return (__u64)generation << 32;
}

#endif
