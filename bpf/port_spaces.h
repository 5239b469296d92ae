/* SPDX-License-Identifier: GPL-2.0 */
/* A network namespace: the ports that connect() can choose from in it (ports.bpf.c, P3). */
#ifndef BALLAST_BPF_PORT_SPACES_H
#define BALLAST_BPF_PORT_SPACES_H

#include "bpf/lib/loop.h"
#include "bpf/port_maps.h"
#include "bpf/port_range.h"

#include <bpf/bpf_core_read.h>

/* Counts one word of the bitmap that was read. */
BALLAST_STEP int ballast_count_reserved(__u32 i) {
    struct scratch* at = BALLAST_FIRST(scratches);
    if (!at || i >= BALLAST_PORT_WORDS)
        return 0;
    __u64 word = ballast_ports_within(at->reserved[i], i, at->low, at->high);
    at->reserved_ports[0] += ballast_bits(word & BALLAST_EVEN_PORTS);
    at->reserved_ports[1] += ballast_bits(word & ~BALLAST_EVEN_PORTS);
    return 0;
}

/* Most words are 0, so several are looked at a time. */
#define WORDS_AT_A_TIME 16

static long count_reserved_words(__u32 i, void* unused) {
    (void)unused;
    struct scratch* at = BALLAST_FIRST(scratches);
    __u32 first = i * WORDS_AT_A_TIME;
    if (!at || first > BALLAST_PORT_WORDS - WORDS_AT_A_TIME)
        return 1;
    __u64 any = 0;
    for (__u32 n = 0; n < WORDS_AT_A_TIME; n++)
        any |= at->reserved[first + n];
    if (!any)
        return 0;
    BALLAST_ROLLED
    for (__u32 n = 0; n < WORDS_AT_A_TIME; n++)
        ballast_count_reserved(first + n);
    return 0;
}

static __attribute__((noinline)) int read_reserved(const struct netns_ipv4* ipv4,
                                                   struct ballast_port_space* space) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    struct scratch* at = BALLAST_FIRST(scratches);
    __u64 bitmap = (__u64)BPF_CORE_READ(ipv4, sysctl_local_reserved_ports);
    if (!pass || !at || !space || !bitmap ||
        !read_at(at->reserved, sizeof(at->reserved), bitmap, pass))
        return 0;
    at->low = space->low;
    at->high = space->high;
    at->reserved_ports[0] = at->reserved_ports[1] = 0;
    bpf_loop(BALLAST_PORT_WORDS / WORDS_AT_A_TIME, count_reserved_words, NULL, 0);
    space->reserved[0] = at->reserved_ports[0];
    space->reserved[1] = at->reserved_ports[1];
    return 0;
}

BALLAST_INLINE bool is_reserved(const struct net* net, __u32 port) {
    const unsigned long* bitmap = BPF_CORE_READ(net, ipv4.sysctl_local_reserved_ports);
    __u64 word = 0;
    if (!bitmap || bpf_probe_read_kernel(&word, sizeof(word), bitmap + port / 64))
        return false;
    return word >> (port % 64) & 1;
}

static __attribute__((noinline)) int read_space(struct net* net, struct ballast_port_space* space) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    if (!pass || !space)
        return 0;
    struct inet_hashinfo* table = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
    __builtin_memset(space, 0, sizeof(*space));
    space->pass = pass->pass;
    space->netns = BPF_CORE_READ(net, ns.inum);
    space->mix = BPF_CORE_READ(net, hash_mix);
    space->has_table = BPF_CORE_READ(table, pernet);
    if (!space->has_table)
        pass->table = (__u64)table;
    space->most_minis = (__u32)BPF_CORE_READ(net, ipv4.tcp_death_row.sysctl_max_tw_buckets);
    if (ballast_read_range(&net->ipv4, &space->low, &space->high))
        read_reserved(&net->ipv4, space);
    return 0;
}

/* Its row, as of this pass; NULL: there is no room. */
BALLAST_INLINE struct ballast_port_space* space_of(struct net* net,
                                                   struct ballast_port_pass* pass) {
    __u64 key = (__u64)net;
    struct ballast_port_space* space = bpf_map_lookup_elem(&port_spaces, &key);
    if (!space) {
        struct ballast_port_space none = {};
        if (bpf_map_update_elem(&port_spaces, &key, &none, BPF_ANY))
            return NULL;
        space = bpf_map_lookup_elem(&port_spaces, &key);
    }
    if (space && space->pass != pass->pass)
        read_space(net, space);
    return space;
}

BALLAST_INLINE bool is_in_range(const struct ballast_port_space* space, __u32 port) {
    return port >= space->low && port <= space->high;
}

#endif
