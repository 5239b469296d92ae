/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A slice of one of the kernel's hash tables: its chains, read by many heads at a time, until the
 * time is over. For programs that the daemon runs: one at a time of each object.
 */
#ifndef BALLAST_BPF_TABLE_CHAINS_H
#define BALLAST_BPF_TABLE_CHAINS_H

#include "bpf/first.h"
#include "bpf/lib/atomic.h"
#include "bpf/lib/loop.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Chains read at a time, and the most bytes from one head to the next: 8 or 16, but with a
 * debugging kernel's locks between them. */
#define BUCKETS 64
#define MOST_STEP 64

/* Longer than any chain that is not a circle. */
#define LONGEST_CHAIN 65536
#define MOST_CHAINS (1 << 20) /* of a slice */

struct chunk {
    __u64 chains[BUCKETS * MOST_STEP / sizeof(__u64)];
    __u64 first; /* node of a chain that was found */
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct chunk);
} chunks SEC(".maps");

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
    __u64 unreadable; /* chunks that could not be read */
};

BALLAST_INLINE bool is_over(const struct slice* slice) {
    return slice->next >= slice->buckets || bpf_ktime_get_ns() >= slice->until_ns;
}

/* Reads the next chunk, of chains whose heads are `step` bytes apart, once the last one is through;
 * false: nothing is left, or no time. */
BALLAST_INLINE bool has_chunk(struct slice* slice, __u32 step) {
    struct chunk* at = BALLAST_FIRST(chunks);
    if (!at)
        return false;
    if (slice->next % BUCKETS)
        return true;
    if (is_over(slice))
        return false;
    const void* heads = (const void*)(slice->table + (__u64)slice->next * step);
    if (step <= MOST_STEP && !bpf_probe_read_kernel(at->chains, BUCKETS * step, heads))
        return true;
    ++slice->unreadable;
    slice->next = slice->buckets; /* it went with its namespace */
    return false;
}

/* Puts into `first` the first node of the next chain of the chunk, from its bucket `i` on; the
 * number of that bucket and 1, BUCKETS where there is none. `offset`: of the first node in a head;
 * `end`: bits of a first node that mean an empty chain. A program of its own to the verifier: Linux
 * 7.2 follows the loop anew for each path that leads to it, which took 300 MB. */
BALLAST_STEP int ballast_find_chain(__u32 i, __u32 step, __u32 offset, __u64 end) {
    struct chunk* at = BALLAST_FIRST(chunks);
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
    const struct chunk* at = BALLAST_FIRST(chunks);
    return at && slice->next <= slice->buckets ? at->first : 0;
}

#endif
