/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every map, declared once. maps.bpf.c defines them, the other programs see them as extern and
 * libbpf's static linker makes them one. README.md of this folder says who writes and who reads.
 */
#ifndef BALLAST_BPF_MAPS_H
#define BALLAST_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#ifndef BALLAST_MAP
#define BALLAST_MAP extern
#endif

#define BALLAST_MAPPED_ARRAY(map, entries, element)                                                \
    BALLAST_MAP struct {                                                                           \
        __uint(type, BPF_MAP_TYPE_ARRAY);                                                          \
        __uint(map_flags, BPF_F_MMAPABLE);                                                         \
        __uint(max_entries, entries);                                                              \
        __type(key, __u32);                                                                        \
        __type(value, element);                                                                    \
    } map SEC(".maps")

BALLAST_MAPPED_ARRAY(control, 1, struct ballast_control);
BALLAST_MAPPED_ARRAY(counters, 1, struct ballast_counters);
BALLAST_MAPPED_ARRAY(limits, BALLAST_LIMIT_ROWS, struct ballast_limit);
BALLAST_MAPPED_ARRAY(destinations, BALLAST_MAX_DESTINATIONS, struct ballast_destination);
BALLAST_MAPPED_ARRAY(reservations, BALLAST_BUCKETS, struct ballast_bucket);
BALLAST_MAPPED_ARRAY(seen, BALLAST_BUCKETS, struct ballast_bucket_seen);
BALLAST_MAPPED_ARRAY(service_names, BALLAST_MAX_SERVICES, struct ballast_service_name);
BALLAST_MAPPED_ARRAY(sweep_totals, 1, struct ballast_sweep_totals);

/* Inner map of `policy`; the daemon makes one per policy and swaps it in. */
struct ballast_prefix_trie {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, BALLAST_MAX_PREFIXES);
    __uint(key_size, sizeof(struct ballast_prefix_key));
    __uint(value_size, sizeof(struct ballast_prefix_rule));
};

/*
 * The policy in force, as one pointer: no connect() sees half of two. Updating it waits until no
 * program uses the old one (kernel/bpf/syscall.c, maybe_wait_bpf_programs()), which the daemon also
 * relies on when it recycles destinations.
 */
BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 1);
    __type(key, __u32);
    __array(values, struct ballast_prefix_trie);
} policy SEC(".maps");

BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, BALLAST_MAX_DESTINATIONS);
    __type(key, struct ballast_destination_key);
    __type(value, __u32);
} destination_index SEC(".maps");

/* Recycled indexes of `destinations`. */
BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_QUEUE);
    __uint(max_entries, BALLAST_MAX_DESTINATIONS);
    __type(value, __u32);
} free_destinations SEC(".maps");

#endif
