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
#include "bpf/abi_relief.h"

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
BALLAST_MAPPED_ARRAY(services, BALLAST_SERVICE_ROWS, struct ballast_service);
BALLAST_MAPPED_ARRAY(alternatives, 2 * BALLAST_MAX_ALTERNATIVES, struct ballast_alternative);
BALLAST_MAPPED_ARRAY(from_patterns, 2 * BALLAST_MAX_FROM, struct ballast_from_pattern);
BALLAST_MAPPED_ARRAY(totals, BALLAST_MAX_SERVICES, struct ballast_total);
BALLAST_MAPPED_ARRAY(consumers, BALLAST_MAX_CONSUMERS, struct ballast_consumer);
BALLAST_MAPPED_ARRAY(shares, BALLAST_MAX_SHARES, struct ballast_share);
BALLAST_MAPPED_ARRAY(destinations, BALLAST_MAX_DESTINATIONS, struct ballast_destination);
BALLAST_MAPPED_ARRAY(reservations, BALLAST_BUCKETS, struct ballast_bucket);
BALLAST_MAPPED_ARRAY(seen, BALLAST_BUCKETS, struct ballast_bucket_seen);
BALLAST_MAPPED_ARRAY(breakers, BALLAST_MAX_BREAKERS, struct ballast_breaker);
BALLAST_MAPPED_ARRAY(times, BALLAST_BUCKETS, struct ballast_bucket_times);
BALLAST_MAPPED_ARRAY(service_names, BALLAST_MAX_SERVICES, struct ballast_service_name);
BALLAST_MAPPED_ARRAY(sweep_totals, 1, struct ballast_sweep_totals);
BALLAST_MAPPED_ARRAY(makers, 1, struct ballast_makers);

/* When a consumer last connected to a port, by a hash of both: CLOCK_MONOTONIC in ms; 0: never. */
BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BALLAST_CONNECTED_PLACES);
    __type(key, __u32);
    __type(value, __u32);
} connected SEC(".maps");

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

#define BALLAST_INDEX(map, entries, element)                                                       \
    BALLAST_MAP struct {                                                                           \
        __uint(type, BPF_MAP_TYPE_HASH);                                                           \
        __uint(map_flags, BPF_F_NO_PREALLOC);                                                      \
        __uint(max_entries, entries);                                                              \
        __type(key, element);                                                                      \
        __type(value, __u32);                                                                      \
    } map SEC(".maps")

BALLAST_INDEX(destination_index, BALLAST_MAX_DESTINATIONS, struct ballast_destination_key);
BALLAST_INDEX(consumer_index, BALLAST_MAX_CONSUMERS, __u64);
BALLAST_INDEX(share_index, BALLAST_MAX_SHARES, struct ballast_share_key);

BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, BALLAST_EVENTS_SIZE);
} events SEC(".maps");

BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, BALLAST_SUSPICIONS_SIZE);
} suspicions SEC(".maps");

BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct ballast_user_timeout);
} user_timeouts SEC(".maps");

BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct ballast_kept_keepalive);
} keepalives SEC(".maps");

/* Kept with sockets that are not counted, since this host answers them (counted.h). */
BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u32);
} redirected SEC(".maps");

/* Sockets whose last connect() was refused for want of a local port, after it was admitted, by
 * cookie: that is no failure of the destination. Each is taken out when its socket is released. */
BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, BALLAST_MAX_PORTLESS);
    __type(key, __u64);
    __type(value, __u8);
} portless SEC(".maps");

/* The record under construction: the stack is needed for what the programs call. One sweep runs at
 * a time, so there is one. */
BALLAST_MAP struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ballast_flow);
} sweep_flow SEC(".maps");

/* Recycled indexes. */
#define BALLAST_FREE_LIST(map, entries)                                                            \
    BALLAST_MAP struct {                                                                           \
        __uint(type, BPF_MAP_TYPE_QUEUE);                                                          \
        __uint(max_entries, entries);                                                              \
        __type(value, __u32);                                                                      \
    } map SEC(".maps")

BALLAST_FREE_LIST(free_destinations, BALLAST_MAX_DESTINATIONS);
BALLAST_FREE_LIST(free_consumers, BALLAST_MAX_CONSUMERS);
BALLAST_FREE_LIST(free_shares, BALLAST_MAX_SHARES);
BALLAST_FREE_LIST(free_breakers, BALLAST_MAX_BREAKERS);

#endif
