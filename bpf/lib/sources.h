/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
// clang-format off
/*
 * How much each source sends, of however many, in fixed memory: a count-min sketch (Cormode,
 * Muthukrishnan, 2005) of BALLAST_SOURCE_ROWS rows of windows. What it says of a source is never too
 * little, but for lost races, and too much by more than 3/8192 of all that was sent within the
 * window with a chance below 1 in 20 (e / cells, e^-rows).
 *
 * The rows' places are parts of one hash with a secret, so that nobody can choose addresses that
 * share cells with another's.
 */
// clang-format on
#ifndef BALLAST_BPF_LIB_SOURCES_H
#define BALLAST_BPF_LIB_SOURCES_H

#include "bpf/abi_shed.h"
#include "bpf/lib/atomic.h"

#define BALLAST_SOURCE_BITS 13
#if BALLAST_SOURCE_CELLS != 1 << BALLAST_SOURCE_BITS ||                                            \
    BALLAST_SOURCE_ROWS * BALLAST_SOURCE_BITS > 64
#error "the rows' places are parts of 64 bits"
#endif

/* The finalizer of SplitMix64 (Steele, Lea, Flood, 2014), which mixes every bit into every other.
 */
BALLAST_INLINE __u64 ballast_mixed(__u64 bits) {
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ull;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebull;
    return bits ^ bits >> 31;
}

/* high, low: the source's address, as it is in memory, cut to its prefix. */
BALLAST_INLINE __u64 ballast_source_hash(__u64 high, __u64 low, __u32 rule, __u64 secret) {
    return ballast_mixed(ballast_mixed(ballast_mixed(high ^ secret) + low) + rule + secret);
}

/* Its cell in a row, an index into all rows. */
BALLAST_INLINE __u32 ballast_source_cell(__u64 hash, __u32 row) {
    __u32 place = (__u32)(hash >> (row * BALLAST_SOURCE_BITS)) & (BALLAST_SOURCE_CELLS - 1);
    return row * BALLAST_SOURCE_CELLS + place;
}

#endif
