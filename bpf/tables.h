/* SPDX-License-Identifier: GPL-2.0 */
/* Look-ups in the maps that several program families share; decisions are those of bpf/lib. */
#ifndef BALLAST_BPF_TABLES_H
#define BALLAST_BPF_TABLES_H

#include "bpf/kernel.h"
#include "bpf/lib/address.h"
#include "bpf/lib/limit.h"
#include "bpf/lib/policy.h"
#include "bpf/lib/reservation.h"
#include "bpf/maps.h"

#define BALLAST_FIRST(map)                                                                         \
    ({                                                                                             \
        __u32 zero_ = 0;                                                                           \
        bpf_map_lookup_elem(&(map), &zero_);                                                       \
    })

#define BALLAST_COUNT_EVENT(event)                                                                 \
    do {                                                                                           \
        struct ballast_counters* counters_ = BALLAST_FIRST(counters);                              \
        if (counters_)                                                                             \
            ballast_count(&counters_->event);                                                      \
    } while (0)

/* The limit that governs a remote endpoint, or NULL. port: host byte order. */
BALLAST_INLINE const struct ballast_limit* ballast_find_limit(const union ballast_address* address,
                                                              __u16 port) {
    void* trie = BALLAST_FIRST(policy);
    if (!trie) {
        BALLAST_COUNT_EVENT(policy_gap);
        return NULL;
    }
    struct ballast_prefix_key key = {.prefix_len = 128};
    __builtin_memcpy(key.address, address->bytes, sizeof(key.address));
    const struct ballast_prefix_rule* rule = bpf_map_lookup_elem(trie, &key);
    if (!rule)
        return NULL;
    __u32 row = ballast_port_limit(rule, port);
    if (!row)
        return NULL;
    const struct ballast_limit* limit = bpf_map_lookup_elem(&limits, &row);
    return limit && limit->mode != BALLAST_MODE_OFF ? limit : NULL;
}

/* An unused index of `destinations`, or -1 when there is none. */
BALLAST_INLINE __s64 ballast_new_index(void) {
    __u32 index;
    if (!bpf_map_pop_elem(&free_destinations, &index))
        return index;
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!head || BALLAST_LOAD(head->next_destination) >= BALLAST_MAX_DESTINATIONS)
        return -1;
    index = __sync_fetch_and_add(&head->next_destination, 1);
    if (index < BALLAST_MAX_DESTINATIONS)
        return index;
    __sync_fetch_and_sub(&head->next_destination, 1);
    return -1;
}

/* Makes the destination and returns its index, or that of whoever was quicker, or -1. */
static __attribute__((noinline)) __s64
ballast_add_destination(const struct ballast_destination_key* key) {
    if (!key)
        return -1;
    __s64 fresh = ballast_new_index();
    if (fresh < 0)
        return -1;
    __u32 index = (__u32)fresh;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return -1;
    __builtin_memcpy(destination->address, key->address, sizeof(key->address));
    destination->port = key->port;
    destination->service = key->service;
    destination->last_use_ns = bpf_ktime_get_ns(); /* or the daemon would recycle it */
    if (!bpf_map_update_elem(&destination_index, key, &index, BPF_NOEXIST))
        return index;
    destination->service = 0;
    bpf_map_push_elem(&free_destinations, &index, 0);
    __u32* winner = bpf_map_lookup_elem(&destination_index, key);
    return winner ? *winner : -1;
}

/* The destination's index, made where it is new; -1 (counted) when the table is full. */
BALLAST_INLINE __s64 ballast_destination_of(__u16 service, const union ballast_address* address,
                                            __u16 port) {
    struct ballast_destination_key key = {.port = port, .service = service};
    __builtin_memcpy(key.address, address->bytes, sizeof(key.address));
    __u32* known = bpf_map_lookup_elem(&destination_index, &key);
    if (known)
        return *known;
    __s64 index = ballast_add_destination(&key);
    if (index < 0)
        BALLAST_COUNT_EVENT(destinations_full);
    return index;
}

/* Where a cookie's reservation is. */
struct ballast_place {
    struct ballast_reservation* entry; /* NULL: nowhere */
    __u32 bucket;
    __u32 slot;
};

BALLAST_INLINE struct ballast_place ballast_find_reservation(__u64 cookie) {
    struct ballast_place place = {};
    for (__u32 n = 0; n < BALLAST_BUCKET_CHOICES; n++) {
        __u32 index = ballast_bucket_choice(cookie, n);
        struct ballast_bucket* bucket = bpf_map_lookup_elem(&reservations, &index);
        if (!bucket)
            return place;
        int slot = ballast_bucket_find(bucket, cookie);
        if (slot >= 0 && slot < BALLAST_BUCKET_WIDTH) {
            place.entry = &bucket->entries[slot];
            place.bucket = index;
            place.slot = (__u32)slot;
            return place;
        }
        if (!BALLAST_LOAD(bucket->spilled))
            return place;
    }
    return place;
}

/* Enters a reservation whose place in the count is already taken; false when all buckets are full.
 */
BALLAST_INLINE bool ballast_insert_reservation(__u64 cookie, __u32 destination, __u32 netns) {
    for (__u32 n = 0; n < BALLAST_BUCKET_CHOICES; n++) {
        __u32 index = ballast_bucket_choice(cookie, n);
        struct ballast_bucket* bucket = bpf_map_lookup_elem(&reservations, &index);
        if (!bucket)
            break;
        if (ballast_bucket_insert(bucket, cookie, destination, netns) >= 0)
            return true;
        bucket->spilled = 1; /* before the entry is published further on */
    }
    BALLAST_COUNT_EVENT(reservations_full);
    return false;
}

BALLAST_INLINE void ballast_give_back_place(__u32 index) {
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (destination && !ballast_give_back(&destination->in_use))
        BALLAST_COUNT_EVENT(underflow);
}

/* Releases the socket's reservation, if it has one and nobody else released it first (R2). */
BALLAST_INLINE void ballast_release(__u64 cookie) {
    struct ballast_place place = ballast_find_reservation(cookie);
    __u32 destination;
    if (place.entry && ballast_entry_release(place.entry, cookie, &destination))
        ballast_give_back_place(destination);
}

#endif
