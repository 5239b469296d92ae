/* SPDX-License-Identifier: GPL-2.0 */
/* The counts that a connection takes its places in. */
#ifndef BALLAST_BPF_PLACES_H
#define BALLAST_BPF_PLACES_H

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

BALLAST_INLINE bool ballast_find_places(struct ballast_places* at,
                                        const struct ballast_service* service,
                                        const union ballast_address* address, __u16 port,
                                        struct ballast_who* who) {
    __s64 found = ballast_destination_of(service->service, address, port);
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
