/* SPDX-License-Identifier: GPL-2.0 */
/* A slice of a hash table: its chains, read by many heads at a time, until the time is over. */
#ifndef BALLAST_BPF_PORT_CHAINS_H
#define BALLAST_BPF_PORT_CHAINS_H

#include "bpf/lib/loop.h"
#include "bpf/port_maps.h"

struct walk {
    __u64 node;
    __u32 bucket;
    __u32 mask; /* buckets less 1 */
};

/* A slice's part of a table. */
struct slice {
    __u64 table;
    __u32 buckets; /* of the table */
    __u32 next;
    __u64 until_ns;
};

BALLAST_INLINE bool is_over(const struct slice* slice) {
    return slice->next >= slice->buckets || bpf_ktime_get_ns() >= slice->until_ns;
}

/* The first nodes of chains whose heads are `step` bytes apart, `offset` into each. */
BALLAST_INLINE bool read_chains(struct scratch* at, const struct slice* slice, __u32 step,
                                struct ballast_port_pass* pass) {
    return read_at(at->chains, BUCKETS * step, slice->table + (__u64)slice->next * step, pass);
}

/* Reads the next chunk once the last one is through; false: nothing is left, or no time. */
BALLAST_INLINE bool has_chunk(struct slice* slice, __u32 step) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    struct scratch* at = BALLAST_FIRST(scratches);
    if (!pass || !at)
        return false;
    if (slice->next % BUCKETS)
        return true;
    if (is_over(slice))
        return false;
    if (step <= MOST_STEP && read_chains(at, slice, step, pass))
        return true;
    slice->next = slice->buckets; /* it went with its namespace */
    return false;
}

/* Puts into `first` the first node of the next chain of the chunk, from its bucket `i` on; the
 * number of that bucket and 1, BUCKETS where there is none. `end`: bits of a first node that mean
 * an empty chain. A program of its own to the verifier: Linux 7.2 follows the loop anew for each
 * path that leads to it, which took 300 MB. */
BALLAST_STEP int ballast_find_chain(__u32 i, __u32 step, __u32 offset, __u64 end) {
    struct scratch* at = BALLAST_FIRST(scratches);
    if (!at)
        return BUCKETS;
    at->first = 0;
    BALLAST_ROLLED
    for (__u32 n = 0; n < BUCKETS; n++) {
        __u32 place = i * step + offset;
        if (i >= BUCKETS || place > sizeof(at->chains) - sizeof(__u64))
            break;
        __u64 first = *(const __u64*)((const __u8*)at->chains + place);
        i++;
        if (first && !(first & end)) {
            at->first = first;
            return (int)i;
        }
    }
    return BUCKETS;
}

/* The first node of the table's next chain in the chunk, whose bucket is then the one before
 * slice->next; 0: none. */
BALLAST_INLINE __u64 next_chain(struct slice* slice, __u32 step, __u32 offset, __u64 end) {
    __u32 i = slice->next % BUCKETS;
    slice->next += (__u32)ballast_find_chain(i, step, offset, end) - i;
    const struct scratch* at = BALLAST_FIRST(scratches);
    return at && slice->next <= slice->buckets ? at->first : 0;
}

#endif
