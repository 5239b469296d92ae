/* SPDX-License-Identifier: GPL-2.0 */
/* The counts that a connection takes its places in. */
#ifndef BALLAST_BPF_PLACES_H
#define BALLAST_BPF_PLACES_H

#include "bpf/lib/fair.h"
#include "bpf/match.h"

/* The counts that a connection takes a place in. */
struct ballast_places {
    struct ballast_destination* destination;
    struct ballast_total* total;
    struct ballast_share* share; /* NULL: the service has no max_per_consumer */
    __u32 held;                  /* what the reservation says of them */
};

/* The share of who opens the connection; none where the service has no such limit or a table is
 * full (counted). */
BALLAST_INLINE void ballast_find_places_share(struct ballast_places* at,
                                              const struct ballast_service* service, __u32 index,
                                              struct ballast_who* who) {
    if (service->max_per_consumer != BALLAST_UNLIMITED)
        (void)ballast_who_is_it(who);
    at->held |= who->consumer << BALLAST_HELD_CONSUMER_SHIFT;
    if (service->max_per_consumer == BALLAST_UNLIMITED || !who->consumer)
        return;
    at->share = ballast_share_of(index, who->consumer);
    if (at->share)
        at->held |= BALLAST_HELD_SHARE;
}

/* Creates the destination; its index, or that of one created concurrently, or -1, also where
 * `maker` has its share of the table. */
static __attribute__((noinline)) __s64
ballast_add_destination(const struct ballast_destination_key* key, __u32 maker) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_makers* made = BALLAST_FIRST(makers);
    if (!key || !head || !made ||
        !ballast_fair_take(made->destinations, maker, BALLAST_MAX_DESTINATIONS))
        return -1;
    __s64 fresh =
        ballast_new_index(&free_destinations, &head->next_destination, BALLAST_MAX_DESTINATIONS);
    if (fresh < 0) {
        ballast_fair_give(made->destinations, maker);
        return -1;
    }
    __u32 index = (__u32)fresh;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return -1;
    __builtin_memcpy(destination->address, key->address, sizeof(key->address));
    destination->port = key->port;
    destination->service = key->service;
    destination->maker = (__u8)maker;
    destination->last_use_ns = bpf_ktime_get_ns(); /* or the daemon would recycle it */
    if (!bpf_map_update_elem(&destination_index, key, &index, BPF_NOEXIST))
        return index;
    destination->service = 0;
    ballast_fair_give(made->destinations, maker);
    bpf_map_push_elem(&free_destinations, &index, 0);
    __u32* winner = bpf_map_lookup_elem(&destination_index, key);
    return winner ? *winner : -1;
}

/* The group of who opens the connection, by whose share a new row is counted (lib/fair.h). */
BALLAST_INLINE __u32 ballast_maker_of(struct ballast_who* who) {
    if (!who->cgroup.id)
        who->cgroup = ballast_cgroup_of_task();
    return ballast_fair_maker(ballast_group_of(who->cgroup.address));
}

/* The destination's index, made where it is new; -1 (counted) when the table is full. */
BALLAST_INLINE __s64 ballast_destination_of(__u16 service, const union ballast_address* address,
                                            __u16 port, struct ballast_who* who) {
    struct ballast_destination_key key = {.port = port, .service = service};
    __builtin_memcpy(key.address, address->bytes, sizeof(key.address));
    __u32* known = bpf_map_lookup_elem(&destination_index, &key);
    if (known)
        return *known;
    __s64 index = ballast_add_destination(&key, ballast_maker_of(who));
    if (index < 0)
        BALLAST_COUNT_EVENT(destinations_full);
    return index;
}

BALLAST_INLINE bool ballast_find_places(struct ballast_places* at,
                                        const struct ballast_service* service,
                                        const union ballast_address* address, __u16 port,
                                        struct ballast_who* who) {
    __s64 found = ballast_destination_of(service->service, address, port, who);
    if (found < 0)
        return false;
    __u32 index = (__u32)found, id = service->service;
    at->destination = bpf_map_lookup_elem(&destinations, &index);
    at->total = bpf_map_lookup_elem(&totals, &id);
    if (!at->destination || !at->total)
        return false;
    at->held = index;
    ballast_find_places_share(at, service, index, who);
    return true;
}

/* Takes a place in each, whatever the limits say; false when the destination is being recycled. */
BALLAST_INLINE bool ballast_take_beyond(const struct ballast_places* at) {
    if (ballast_take(&at->destination->in_use, BALLAST_RETIRED - 1) != BALLAST_TAKEN)
        return false;
    __sync_fetch_and_add(&at->total->in_use, 1);
    if (at->share)
        __sync_fetch_and_add(&at->share->in_use, 1);
    return true;
}

#endif
