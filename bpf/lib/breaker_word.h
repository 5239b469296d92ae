/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Layout of a breaker's words.
 *
 *   word     state 2 | level of back-off 6 | generation 8 | scope 8 | deadline_ms 40
 *   probes   0 24 | generation 8 | succeeded 16 | undecided 16
 *
 * A zeroed breaker is closed. The scope has a bit for each of the breaker's parties that it is open
 * for; 0: for everybody. 40 bits of milliseconds last 34 years.
 */
#ifndef BALLAST_BPF_LIB_BREAKER_WORD_H
#define BALLAST_BPF_LIB_BREAKER_WORD_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"
#include "bpf/lib/loop.h"

/* Looks at a word that others change, before giving up; what that means stands where it is used. */
#define BALLAST_BREAKER_TRIES 8

#define BALLAST_BREAKER_MAX_LEVEL 63u
#define BALLAST_BREAKER_DEADLINE_BITS 40
#define BALLAST_BREAKER_SCOPE_BITS 8
#define BALLAST_BREAKER_GENERATION_SHIFT                                                           \
    (BALLAST_BREAKER_DEADLINE_BITS + BALLAST_BREAKER_SCOPE_BITS)

/* One store that the compiler may neither repeat nor split. */
#define BALLAST_STORE(word, value) (*(volatile __typeof__(word)*)&(word) = (value))

BALLAST_INLINE __u32 ballast_breaker_state(__u64 word) {
    return (__u32)(word >> 62);
}

BALLAST_INLINE __u32 ballast_breaker_level(__u64 word) {
    return (__u32)(word >> 56) & BALLAST_BREAKER_MAX_LEVEL;
}

BALLAST_INLINE __u32 ballast_breaker_generation(__u64 word) {
    return (__u32)(word >> BALLAST_BREAKER_GENERATION_SHIFT) & 0xff;
}

BALLAST_INLINE __u32 ballast_breaker_scope(__u64 word) {
    return (__u32)(word >> BALLAST_BREAKER_DEADLINE_BITS) & 0xff;
}

/* CLOCK_MONOTONIC; 0 in a closed breaker. */
BALLAST_INLINE __u64 ballast_breaker_deadline_ms(__u64 word) {
    return word & ((1ull << BALLAST_BREAKER_DEADLINE_BITS) - 1);
}

/* `word` with another scope. */
BALLAST_INLINE __u64 ballast_breaker_scoped(__u64 word, __u32 scope) {
    return (word & ~(0xffull << BALLAST_BREAKER_DEADLINE_BITS)) |
           (__u64)(scope & 0xff) << BALLAST_BREAKER_DEADLINE_BITS;
}

/* The successor of `word`, of the next generation and the same scope, which a closed one has not.
 * level: 0..BALLAST_BREAKER_MAX_LEVEL. */
BALLAST_INLINE __u64 ballast_breaker_next(__u64 word, __u32 state, __u32 level, __u64 deadline_ms) {
    __u64 generation = (ballast_breaker_generation(word) + 1) & 0xff;
    __u64 next = (__u64)state << 62 | (__u64)level << 56 |
                 generation << BALLAST_BREAKER_GENERATION_SHIFT |
                 ballast_breaker_deadline_ms(deadline_ms);
    return ballast_breaker_scoped(
        next, state == BALLAST_BREAKER_CLOSED ? 0 : ballast_breaker_scope(word));
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
