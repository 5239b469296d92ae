/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Arithmetic of local ports: bitmaps of the kernel's, and what a mini-socket's timer says. */
#ifndef BALLAST_BPF_LIB_PORTS_H
#define BALLAST_BPF_LIB_PORTS_H

#include <linux/types.h>

#include "bpf/abi_ports.h"
#include "bpf/lib/atomic.h"

/* Words of a bitmap with a bit for each port (include/net/netns/ipv4.h, local_reserved_ports). */
#define BALLAST_PORT_WORDS (65536 / 64)

#define BALLAST_EVEN_PORTS 0x5555555555555555ull

/* Bits set in a word; BPF has no instruction for it (Hacker's Delight, figure 5-2). */
BALLAST_INLINE __u32 ballast_bits(__u64 word) {
    word -= (word >> 1) & 0x5555555555555555ull;
    word = (word & 0x3333333333333333ull) + ((word >> 2) & 0x3333333333333333ull);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;
    return (__u32)(word * 0x0101010101010101ull >> 56);
}

/* Of a bitmap's word number `index`, the bits of ports from `low` to `high`, both of them in. */
BALLAST_INLINE __u64 ballast_ports_within(__u64 word, __u32 index, __u32 low, __u32 high) {
    __u32 first = index * 64, last = first + 63;
    if (last < low || first > high)
        return 0;
    if (low > first)
        word &= ~0ull << (low - first);
    if (high < last)
        word &= ~0ull >> (last - high);
    return word;
}

/* Index in a tuple's `ends` of a mini-socket whose timer has `jiffies` left. */
BALLAST_INLINE __u32 ballast_end_slot(__u64 jiffies, __u32 ticks_per_second) {
    __u64 slot = ticks_per_second ? jiffies / (BALLAST_ENDS_SECONDS * ticks_per_second) : 0;
    return slot < BALLAST_ENDS ? (__u32)slot : BALLAST_ENDS - 1;
}

/* A tuple's cell. Any even spread will do: those that share a cell are only looked at for nothing.
 */
BALLAST_INLINE __u32 ballast_tuple_cell_of(const struct ballast_tuple_key* key) {
    __u64 mixed = 0;
    for (__u32 at = 0; at < sizeof(*key); at += sizeof(__u32)) {
        __u32 word;
        __builtin_memcpy(&word, (const char*)key + at, sizeof(word));
        mixed = (mixed ^ word) * 0x9e3779b97f4a7c15ull;
    }
    return (__u32)(mixed >> 48) & (BALLAST_TUPLE_CELLS - 1);
}

#endif
