/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A destination's breaker from the programs' side: finds it, reports outcomes to it, and reports
 * its changes to the daemon. lib/breaker.h decides.
 */
#ifndef BALLAST_BPF_BREAKER_H
#define BALLAST_BPF_BREAKER_H

#include "bpf/lib/breaker.h"
#include "bpf/lib/failure.h"
#include "bpf/lib/fair.h"
#include "bpf/lib/recent.h"
#include "bpf/socket.h"
#include "bpf/tables.h"

#include <linux/errno.h>

#define BALLAST_NS_PER_MS 1000000ull

/* Who has a socket, as struct ballast_breaker_party. */
BALLAST_INLINE __u64 ballast_party_of(struct tcp_sock* tp) {
    return ballast_party_id(ballast_group_of(ballast_cgroup_of_socket(tp)),
                            tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ns.inum);
}

BALLAST_INLINE void ballast_tell(__u32 index, const struct ballast_destination* destination,
                                 const struct ballast_breaker* breaker,
                                 const struct ballast_breaker_change* change, __u64 now_ms,
                                 __u64 who, __u32 withheld, __u8 mode) {
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
    event->scope = (__u8)ballast_breaker_scope(word);
    event->who = who;
    event->established = change->counts[BALLAST_BREAKER_SUCCESS];
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

/* Gives the destination a breaker if it has none: 2 where it has made it, 1 where another has; 0
 * (counted) when the table is full, or `maker` has its share of it. */
BALLAST_ONCE int ballast_add_breaker(__u32 index, __u32 maker) {
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_makers* made = BALLAST_FIRST(makers);
    if (!destination || !head || !made)
        return 0;
    bool may = ballast_fair_take(made->breakers, maker, BALLAST_MAX_BREAKERS);
    __s64 fresh =
        may ? ballast_new_index(&free_breakers, &head->next_breaker, BALLAST_MAX_BREAKERS) : -1;
    __u32 at = (__u32)fresh;
    struct ballast_breaker* breaker = fresh > 0 ? bpf_map_lookup_elem(&breakers, &at) : NULL;
    if (!breaker) {
        if (may)
            ballast_fair_give(made->breakers, maker);
        BALLAST_COUNT_EVENT(breakers_full);
        return 0;
    }
    breaker->destination = index;
    breaker->maker = maker;
    breaker->born = ballast_party_time(bpf_ktime_get_ns() / BALLAST_NS_PER_MS);
    breaker->in_use = 1;
    breaker->used = ballast_recent_use(destination);
    if (ballast_swap_if_u32(&destination->breaker, 0, at))
        return 2;
    breaker->in_use = 0;
    ballast_fair_give(made->breakers, maker);
    bpf_map_push_elem(&free_breakers, &at, 0);
    return 1;
}

/* How a connection ended, or was established. */
struct ballast_outcome {
    __u64 who; /* as struct ballast_breaker_party */
    __u64 began_ms;
    __u32 destination; /* its index */
    __u32 kind;        /* enum ballast_failure; BALLAST_BREAKER_SUCCESS */
    __s32 error;
    __u32 is_probe;
    __u32 is_given_up;
    __u32 reserved;
};

/* What admission needs from a breaker that is not just closed. */
#define BALLAST_ASKED_VERDICT(asked) ((__u32)((asked) >> 32)) /* enum ballast_breaker_verdict */
#define BALLAST_ASKED_LIMIT(asked) ((__u32)(asked))

/* The verdict for one connect() of `who`, and the limit that a ramp leaves of max_connections. */
BALLAST_ONCE __u64 ballast_ask_breaker(__u32 index, __u64 who) {
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
    if (!ballast_breaker_concerns(breaker, who, now_ms))
        return admit;
    __u64 verdict = ballast_breaker_admit(breaker, &service->breaker, now_ms, &change);
    if (change.changed) {
        ballast_mark_breaker(destination, breaker);
        ballast_tell(index, destination, breaker, &change, now_ms, who, 0, service->breaker.mode);
    }
    __u64 word = BALLAST_LOAD(breaker->word);
    __u32 limit = BALLAST_UNLIMITED;
    if (ballast_breaker_state(word) == BALLAST_BREAKER_RAMP &&
        ballast_breaker_forced(breaker, now_ms) == BALLAST_FORCE_NONE)
        limit = ballast_breaker_ramp(word, &service->breaker, service->max_connections,
                                     breaker->ramp_base, now_ms);
    return verdict << 32 | limit;
}

/* Notes the failure of the only connect() that a destination has seen, so that who tries one after
 * the other (a port scan) needs no breakers; false where it takes one. */
BALLAST_INLINE bool ballast_is_first_try(struct ballast_destination* destination,
                                         const struct ballast_service* service,
                                         const struct ballast_outcome* end, __u64 now_ms) {
    if (destination->first_failure || BALLAST_LOAD(destination->admitted) > 1 ||
        destination->adopted || end->kind >= BALLAST_FAILURES ||
        service->breaker.thresholds[ballast_bounded(end->kind, BALLAST_FAILURES)] <= 1)
        return false;
    destination->first_failed = ballast_party_time(now_ms);
    destination->first_failure = (__u8)(end->kind + 1);
    return true;
}

/* What is known of the time before the breaker was made. */
BALLAST_ONCE int ballast_begin_breaker(struct ballast_breaker* breaker,
                                       struct ballast_destination* destination,
                                       const struct ballast_service* service, __u64 now_ms) {
    if (!breaker || !destination || !service)
        return 0;
    __u32 successes = ballast_recent_successes(destination, now_ms * BALLAST_NS_PER_MS);
    __u32 first = destination->first_failure;
    if (first) {
        __u32 ago = (ballast_party_time(now_ms) - destination->first_failed) << BALLAST_PARTY_SHIFT;
        destination->first_failure = 0;
        successes -= successes ? 1 : 0;
        ballast_window_record(breaker, &service->breaker, first - 1, now_ms - ago);
    }
    ballast_window_begin(breaker, &service->breaker, successes, now_ms);
    return 0;
}

/* The destination's breaker, made where this failure is reason to; NULL: there is none. */
BALLAST_INLINE struct ballast_breaker* ballast_breaker_for(struct ballast_destination* destination,
                                                           const struct ballast_service* service,
                                                           const struct ballast_outcome* end,
                                                           __u64 now_ms) {
    if (BALLAST_LOAD(destination->breaker))
        return ballast_find_breaker(destination);
    /* Of a flow that was there before: whether connects fail is not known. */
    if (end->kind == BALLAST_FAILURE_HALF_OPEN_FLOW ||
        ballast_is_first_try(destination, service, end, now_ms))
        return NULL;
    int made = ballast_add_breaker(end->destination, ballast_fair_maker((__u32)(end->who >> 32)));
    struct ballast_breaker* breaker = made ? ballast_find_breaker(destination) : NULL;
    if (breaker && made == 2)
        ballast_begin_breaker(breaker, destination, service, now_ms);
    return breaker;
}

/* A connection to the destination failed: the one entry for all that finds that out. */
BALLAST_ONCE int ballast_report_failure(const struct ballast_outcome* end) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_breaker_change change;
    if (!head || !end)
        return 0;
    __u32 index = end->destination;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return 0;
    const struct ballast_service* service = ballast_row_of(destination->service);
    if (!service || service->breaker.mode == BALLAST_MODE_OFF)
        return 0;
    struct ballast_breaker_event event = {.now_ms = bpf_ktime_get_ns() / BALLAST_NS_PER_MS,
                                          .began_ms = end->began_ms,
                                          .who = end->who,
                                          .kind = end->kind,
                                          .is_probe = end->is_probe,
                                          .is_given_up = end->is_given_up,
                                          .error = end->error,
                                          .random = bpf_get_prandom_u32()};
    struct ballast_breaker* breaker = ballast_breaker_for(destination, service, end, event.now_ms);
    if (!breaker)
        return 0;
    if (!ballast_breaker_failing(breaker, &service->breaker, event.now_ms))
        breaker->used = ballast_recent_use(destination);
    enum ballast_breaker_outcome outcome =
        ballast_breaker_failure(breaker, &service->breaker, &event, &head->trip_budget, &change);
    if (outcome == BALLAST_BREAKER_OPENED)
        ballast_mark_breaker(destination, breaker);
    if (outcome == BALLAST_BREAKER_WITHHELD)
        BALLAST_COUNT_EVENT(trips_withheld);
    if (outcome != BALLAST_BREAKER_COUNTED)
        ballast_tell(index, destination, breaker, &change, event.now_ms, end->who,
                     outcome == BALLAST_BREAKER_WITHHELD, service->breaker.mode);
    return 0;
}

/* A connection was established in time. Only breakers that are there want to know. */
BALLAST_ONCE int ballast_report_success(const struct ballast_outcome* made) {
    struct ballast_breaker_change change;
    if (!made)
        return 0;
    __u32 index = made->destination;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return 0;
    struct ballast_breaker* breaker = ballast_find_breaker(destination);
    const struct ballast_service* service = ballast_row_of(destination->service);
    if (!breaker || !service || service->breaker.mode == BALLAST_MODE_OFF)
        return 0;
    __u64 now_ms = bpf_ktime_get_ns() / BALLAST_NS_PER_MS;
    /* Before the ramp is seen: what is held by now is not taken from what was used before. */
    __u32 state = ballast_breaker_state(BALLAST_LOAD(breaker->word));
    if (state == BALLAST_BREAKER_OPEN || state == BALLAST_BREAKER_HALF_OPEN)
        breaker->ramp_base = breaker->used + (BALLAST_LOAD(destination->in_use) & ~BALLAST_RETIRED);
    ballast_breaker_success(breaker, &service->breaker, made->is_probe, made->who, now_ms, &change);
    if (change.changed) {
        ballast_mark_breaker(destination, breaker);
        ballast_tell(index, destination, breaker, &change, now_ms, made->who, 0,
                     service->breaker.mode);
    }
    return 0;
}

/* A probe's connection ended without a verdict. */
BALLAST_ONCE int ballast_lose_probe(__u32 held) {
    __u32 index = ballast_held_destination(held);
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    struct ballast_breaker* breaker = destination ? ballast_find_breaker(destination) : NULL;
    if (breaker && held & BALLAST_HELD_PROBE)
        ballast_breaker_probe_lost(breaker);
    return 0;
}

/* A connect() that the kernel turned down before it sent a SYN found no way to the destination. */
BALLAST_INLINE void ballast_report_no_way(__u32 held, const struct sock* sk) {
    __u64 cgroup = (__u64)BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
    __u32 netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
    struct ballast_outcome end = {.who = ballast_party_id(ballast_group_of(cgroup), netns),
                                  .destination = ballast_held_destination(held),
                                  .kind = BALLAST_FAILURE_UNREACHABLE,
                                  .error = ENETUNREACH,
                                  .is_probe = held & BALLAST_HELD_PROBE};
    ballast_report_failure(&end);
}

/* Relief refused its connect(), since no local port is left: nothing is known of a way. */
static __attribute__((noinline)) int ballast_take_portless(__u64 cookie) {
    return !bpf_map_delete_elem(&portless, &cookie);
}

/* Releases the socket's reservation, if it has one that was not released before (R2). sk: the
 * socket, which need not be one that the verifier trusts, where it is known that it connects no
 * more. */
BALLAST_INLINE void ballast_release(__u64 cookie, const struct sock* sk) {
    struct ballast_place place = ballast_find_reservation(cookie);
    __u32 held;
    if (!place.entry)
        return;
    __u32 pending = BALLAST_LOAD(place.entry->held) & BALLAST_PENDING;
    if (!ballast_entry_release(place.entry, cookie, &held))
        return;
    if (pending && sk && !BPF_CORE_READ((const struct tcp_sock*)sk, segs_out) &&
        !ballast_take_portless(cookie))
        ballast_report_no_way(held, sk);
    else if (held & BALLAST_HELD_PROBE)
        ballast_lose_probe(held);
    ballast_give_back_held(held);
}

#endif
