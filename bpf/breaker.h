/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A destination's breaker from the programs' side: finds it, reports outcomes to it, and reports
 * its changes to the daemon. lib/breaker.h decides.
 */
#ifndef BALLAST_BPF_BREAKER_H
#define BALLAST_BPF_BREAKER_H

#include "bpf/lib/breaker.h"
#include "bpf/lib/failure.h"
#include "bpf/tables.h"

#define BALLAST_NS_PER_MS 1000000ull

BALLAST_INLINE void ballast_tell(__u32 index, const struct ballast_destination* destination,
                                 const struct ballast_breaker* breaker,
                                 const struct ballast_breaker_change* change, __u64 now_ms,
                                 __u32 withheld, __u8 mode) {
    struct ballast_event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event) {
        BALLAST_COUNT_EVENT(events_lost);
        return;
    }
    __builtin_memset(event, 0, sizeof(*event));
    event->now_ms = now_ms;
    __builtin_memcpy(event->address, destination->address, sizeof(event->address));
    event->port = destination->port;
    event->service = destination->service;
    event->destination = index;
    event->last_error = breaker->last_error;
    event->mode = mode;
    event->withheld = (__u8)withheld;
    __u64 word = withheld ? BALLAST_LOAD(breaker->word) : change->word;
    event->from = (__u8)(withheld ? ballast_breaker_state(word) : change->from);
    event->to = (__u8)ballast_breaker_state(word);
    event->level = (__u8)ballast_breaker_level(word);
    event->deadline_ms = ballast_breaker_deadline_ms(word);
    __builtin_memcpy(event->counts, change->counts, sizeof(event->counts));
    bpf_ringbuf_submit(event, 0);
}

/* Keeps the mark that makes admission ask, in step with the word: set after it left CLOSED, taken
 * back after it came there, and set again where it has left once more by then. */
BALLAST_INLINE void ballast_mark_breaker(struct ballast_destination* destination,
                                         const struct ballast_breaker* breaker) {
    if (!ballast_breaker_is_closed_for_good(breaker)) {
        destination->ask = 1;
        return;
    }
    (void)__sync_lock_test_and_set(&destination->ask, 0);
    if (!ballast_breaker_is_closed_for_good(breaker))
        destination->ask = 1;
}

BALLAST_INLINE struct ballast_breaker*
ballast_find_breaker(const struct ballast_destination* destination) {
    __u32 at = BALLAST_LOAD(destination->breaker);
    return at ? bpf_map_lookup_elem(&breakers, &at) : NULL;
}

/* Gives the destination a breaker if it has none; 0 (counted) when the table is full. */
BALLAST_ONCE int ballast_add_breaker(__u32 index) {
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!destination || !head)
        return 0;
    __s64 fresh = ballast_new_index(&free_breakers, &head->next_breaker, BALLAST_MAX_BREAKERS);
    __u32 at = (__u32)fresh;
    struct ballast_breaker* breaker = fresh > 0 ? bpf_map_lookup_elem(&breakers, &at) : NULL;
    if (!breaker) {
        BALLAST_COUNT_EVENT(breakers_full);
        return 0;
    }
    breaker->destination = index;
    breaker->in_use = 1;
    if (ballast_swap_if_u32(&destination->breaker, 0, at))
        return 1;
    breaker->in_use = 0;
    bpf_map_push_elem(&free_breakers, &at, 0);
    return 1;
}

/* What admission needs from a breaker that is not just closed. */
#define BALLAST_ASKED_VERDICT(asked) ((__u32)((asked) >> 32)) /* enum ballast_breaker_verdict */
#define BALLAST_ASKED_LIMIT(asked) ((__u32)(asked))

/* The verdict for one connect(), and the limit that a ramp leaves of max_connections. */
BALLAST_ONCE __u64 ballast_ask_breaker(__u32 index) {
    const __u64 admit = (__u64)BALLAST_BREAKER_ADMIT << 32 | BALLAST_UNLIMITED;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    struct ballast_breaker_change change;
    if (!destination)
        return admit;
    struct ballast_breaker* breaker = ballast_find_breaker(destination);
    const struct ballast_service* service = ballast_row_of(destination->service);
    if (!breaker || !service || service->breaker.mode == BALLAST_MODE_OFF)
        return admit;
    __u64 now_ms = bpf_ktime_get_ns() / BALLAST_NS_PER_MS;
    __u64 verdict = ballast_breaker_admit(breaker, &service->breaker, now_ms, &change);
    if (change.changed) {
        ballast_mark_breaker(destination, breaker);
        ballast_tell(index, destination, breaker, &change, now_ms, 0, service->breaker.mode);
    }
    __u64 word = BALLAST_LOAD(breaker->word);
    __u32 limit = BALLAST_UNLIMITED;
    if (ballast_breaker_state(word) == BALLAST_BREAKER_RAMP &&
        ballast_breaker_forced(breaker, now_ms) == BALLAST_FORCE_NONE) {
        limit = service->max_connections;
        if (limit == BALLAST_UNLIMITED)
            limit = breaker->ramp_base;
        limit = ballast_breaker_ramped_limit(word, &service->breaker, limit, now_ms);
    }
    return verdict << 32 | limit;
}

/* A connection to the destination failed: the one entry for all that finds that out. */
BALLAST_ONCE int ballast_report_failure(__u32 index, __u32 kind, int error, __u32 is_probe) {
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_breaker_change change;
    if (!head || !destination)
        return 0;
    const struct ballast_service* service = ballast_row_of(destination->service);
    if (!service || service->breaker.mode == BALLAST_MODE_OFF)
        return 0;
    if (!BALLAST_LOAD(destination->breaker))
        ballast_add_breaker(index);
    struct ballast_breaker* breaker = ballast_find_breaker(destination);
    if (!breaker)
        return 0;
    struct ballast_breaker_event event = {.now_ms = bpf_ktime_get_ns() / BALLAST_NS_PER_MS,
                                          .kind = kind,
                                          .is_probe = is_probe,
                                          .error = error,
                                          .random = bpf_get_prandom_u32()};
    enum ballast_breaker_outcome outcome =
        ballast_breaker_failure(breaker, &service->breaker, &event, &head->trip_budget, &change);
    if (outcome == BALLAST_BREAKER_OPENED) {
        if (change.from != BALLAST_BREAKER_HALF_OPEN)
            breaker->ramp_base = BALLAST_LOAD(destination->in_use) + 1;
        ballast_mark_breaker(destination, breaker);
    }
    if (outcome == BALLAST_BREAKER_WITHHELD)
        BALLAST_COUNT_EVENT(trips_withheld);
    if (outcome != BALLAST_BREAKER_COUNTED)
        ballast_tell(index, destination, breaker, &change, event.now_ms,
                     outcome == BALLAST_BREAKER_WITHHELD, service->breaker.mode);
    return 0;
}

/* A probe's connection was established in time (`success`), or ended without a verdict. */
BALLAST_ONCE int ballast_report_probe(__u32 index, __u32 success) {
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    struct ballast_breaker_change change;
    if (!destination)
        return 0;
    struct ballast_breaker* breaker = ballast_find_breaker(destination);
    const struct ballast_service* service = ballast_row_of(destination->service);
    if (!breaker || !service)
        return 0;
    if (!success) {
        ballast_breaker_probe_lost(breaker);
        return 0;
    }
    __u64 now_ms = bpf_ktime_get_ns() / BALLAST_NS_PER_MS;
    ballast_breaker_success(breaker, &service->breaker, true, now_ms, &change);
    if (change.changed) {
        ballast_mark_breaker(destination, breaker);
        ballast_tell(index, destination, breaker, &change, now_ms, 0, service->breaker.mode);
    }
    return 0;
}

/* Releases the socket's reservation, if it has one that was not released before (R2). */
BALLAST_INLINE void ballast_release(__u64 cookie) {
    struct ballast_place place = ballast_find_reservation(cookie);
    __u32 held;
    if (!place.entry || !ballast_entry_release(place.entry, cookie, &held))
        return;
    if (held & BALLAST_HELD_PROBE)
        ballast_report_probe(ballast_held_destination(held), 0);
    ballast_give_back_held(held);
}

#endif
