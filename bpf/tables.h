/* SPDX-License-Identifier: GPL-2.0 */
/* Look-ups in the maps that several program families share; decisions are those of bpf/lib. */
#ifndef BALLAST_BPF_TABLES_H
#define BALLAST_BPF_TABLES_H

#include "bpf/first.h"
#include "bpf/kernel.h"
#include "bpf/lib/address.h"
#include "bpf/lib/limit.h"
#include "bpf/lib/loop.h"
#include "bpf/lib/policy.h"
#include "bpf/lib/reservation.h"
#include "bpf/maps.h"

/* A function that the verifier looks at once, by itself, and not at each call again; it knows
 * nothing of its arguments. Weak, since several programs' objects have it (libbpf's linker keeps
 * one). */
#define BALLAST_ONCE __attribute__((weak, noinline))

#define BALLAST_COUNT_EVENT(event)                                                                 \
    do {                                                                                           \
        struct ballast_counters* counters_ = BALLAST_FIRST(counters);                              \
        if (counters_)                                                                             \
            ballast_count(&counters_->event);                                                      \
    } while (0)

/* The row of the policy in force for the service of a destination, or NULL. */
BALLAST_INLINE const struct ballast_service* ballast_row_of(__u32 service) {
    struct ballast_control* head = BALLAST_FIRST(control);
    __u32 row = head ? (BALLAST_LOAD(head->half) & 1) * BALLAST_MAX_SERVICES + service : 0;
    return bpf_map_lookup_elem(&services, &row);
}

/* An unused index of a table: a recycled one, or else the next; -1 when there is none. */
BALLAST_INLINE __s64 ballast_new_index(void* free_list, __u32* next, __u32 most) {
    __u32 index;
    if (!bpf_map_pop_elem(free_list, &index))
        return index;
    if (BALLAST_LOAD(*next) >= most)
        return -1;
    index = __sync_fetch_and_add(next, 1);
    if (index < most)
        return index;
    __sync_fetch_and_sub(next, 1);
    return -1;
}

/* Where a cookie's reservation is. */
struct ballast_place {
    struct ballast_reservation* entry; /* NULL: nowhere */
    __u32 bucket;
    __u32 slot;
};

/* The bucket, times 8, plus one more than the slot of a cookie's reservation; 0: it has none. */
BALLAST_ONCE __u32 ballast_locate(__u64 cookie) {
    BALLAST_ROLLED
    for (__u32 n = 0; n < BALLAST_BUCKET_CHOICES; n++) {
        __u32 index = ballast_bucket_choice(cookie, n);
        struct ballast_bucket* bucket = bpf_map_lookup_elem(&reservations, &index);
        if (!bucket)
            return 0;
        int slot = ballast_bucket_find(bucket, cookie);
        if (slot >= 0)
            return index * (BALLAST_BUCKET_WIDTH + 1) + (__u32)slot + 1;
        if (!BALLAST_LOAD(bucket->spilled))
            return 0;
    }
    return 0;
}

/* A bucket is as long as one entry more than it has, so the head counts as the one before them. */
_Static_assert(sizeof(struct ballast_bucket) ==
                   (BALLAST_BUCKET_WIDTH + 1) * sizeof(struct ballast_reservation),
               "entries of a bucket are found from its beginning");

BALLAST_INLINE void ballast_place_at(struct ballast_place* place, struct ballast_bucket* bucket,
                                     __u32 number) {
    struct ballast_reservation* first = (struct ballast_reservation*)bucket;
    place->entry = &first[number & BALLAST_BUCKET_WIDTH];
    place->slot = (number & BALLAST_BUCKET_WIDTH) - 1;
}

/* The reservation of a cookie. Nearly all are in their first bucket, which needs no call. */
BALLAST_INLINE struct ballast_place ballast_find_reservation(__u64 cookie) {
    struct ballast_place place = {.bucket = ballast_bucket_choice(cookie, 0)};
    struct ballast_bucket* bucket = bpf_map_lookup_elem(&reservations, &place.bucket);
    if (!bucket)
        return place;
    int slot = ballast_bucket_find(bucket, cookie);
    if (slot >= 0)
        ballast_place_at(&place, bucket, (__u32)slot + 1);
    if (slot >= 0 || !BALLAST_LOAD(bucket->spilled))
        return place;
    __u32 at = ballast_locate(cookie);
    place.bucket = at / (BALLAST_BUCKET_WIDTH + 1);
    bucket = bpf_map_lookup_elem(&reservations, &place.bucket);
    if (at && bucket)
        ballast_place_at(&place, bucket, at);
    return place;
}

/* Enters a reservation whose places are already taken; 0 when all buckets are full. */
BALLAST_ONCE int ballast_insert_reservation(__u64 cookie, __u32 held, __u32 netns) {
    for (__u32 n = 0; n < BALLAST_BUCKET_CHOICES; n++) {
        __u32 index = ballast_bucket_choice(cookie, n);
        struct ballast_bucket* bucket = bpf_map_lookup_elem(&reservations, &index);
        if (!bucket)
            break;
        if (ballast_bucket_insert(bucket, cookie, held, netns) >= 0)
            return 1;
        bucket->spilled = 1; /* before the entry is published further on */
    }
    BALLAST_COUNT_EVENT(reservations_full);
    return 0;
}

BALLAST_INLINE void ballast_give_back_count(__u32* in_use) {
    if (!ballast_give_back(in_use))
        BALLAST_COUNT_EVENT(underflow);
}

/* The share that a consumer's reservations for a destination count in, or NULL. */
BALLAST_INLINE struct ballast_share* ballast_find_share(__u32 destination, __u32 consumer) {
    struct ballast_consumer* who = bpf_map_lookup_elem(&consumers, &consumer);
    struct ballast_share_key key = {.destination = destination};
    if (!who)
        return NULL;
    key.consumer = who->unit;
    __u32* index = bpf_map_lookup_elem(&share_index, &key);
    return index ? bpf_map_lookup_elem(&shares, index) : NULL;
}

static __attribute__((noinline)) int ballast_add_share(__u32 destination, __u32 unit) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_share_key key = {.destination = destination, .consumer = unit};
    if (!head)
        return -1;
    __s64 fresh = ballast_new_index(&free_shares, &head->next_share, BALLAST_MAX_SHARES);
    if (fresh < 0)
        return -1;
    __u32 index = (__u32)fresh;
    struct ballast_share* share = bpf_map_lookup_elem(&shares, &index);
    if (!share)
        return -1;
    share->destination = destination;
    share->consumer = unit;
    if (bpf_map_update_elem(&share_index, &key, &index, BPF_NOEXIST)) {
        share->consumer = 0;
        bpf_map_push_elem(&free_shares, &index, 0);
    }
    return 0;
}

/* The same, made where it is new; NULL (counted) when the table is full. */
BALLAST_INLINE struct ballast_share* ballast_share_of(__u32 destination, __u32 consumer) {
    struct ballast_share* share = ballast_find_share(destination, consumer);
    struct ballast_consumer* who = bpf_map_lookup_elem(&consumers, &consumer);
    if (share || !who)
        return share;
    ballast_add_share(destination, who->unit);
    share = ballast_find_share(destination, consumer);
    if (!share)
        BALLAST_COUNT_EVENT(shares_full);
    return share;
}

/* Gives back every place that a reservation held (R4). */
BALLAST_ONCE int ballast_give_back_held(__u32 held) {
    __u32 index = ballast_held_destination(held);
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return 0;
    if (held & BALLAST_HELD_SHARE) {
        struct ballast_share* share = ballast_find_share(index, ballast_held_consumer(held));
        if (share)
            ballast_give_back_count(&share->in_use);
    }
    __u32 service = destination->service; /* before the place that keeps it from being recycled */
    struct ballast_total* total = bpf_map_lookup_elem(&totals, &service);
    if (total)
        ballast_give_back_count(&total->in_use);
    ballast_give_back_count(&destination->in_use);
    return 1;
}

#endif
