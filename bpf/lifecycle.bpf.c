// SPDX-License-Identifier: GPL-2.0
/*
 * The rest of a connection's life: confirms a reservation at SYN_SENT, releases it at CLOSE, and
 * when the socket is destroyed (states and invariants: bpf/lib/reservation.h). Runs for every TCP
 * socket of the host, so the common case must end at once: a socket without a cookie has no
 * reservation, since reserving makes one.
 *
 * Why twice: a socket whose connect() failed before SYN_SENT never changes state; and the kernel
 * does not run a tracing program that is already running on the same CPU (kernel/trace/bpf_trace.c,
 * __bpf_trace_run()), so a state change in an interrupt can go unseen, which the destruction,
 * another program, makes good. A kernel that leaves out both is the sweep's business.
 */
#include "bpf/breaker.h"

#include <bpf/bpf_tracing.h>

BALLAST_INLINE __u32 now_ms(void) {
    return (__u32)(bpf_ktime_get_ns() / BALLAST_NS_PER_MS);
}

/* The times that the connection's service asks about, or NULL; looked for only where some service
 * does. */
BALLAST_INLINE const struct ballast_breaker_limits* timing(const struct ballast_control* head,
                                                           __u32 held) {
    __u32 index = ballast_held_destination(held);
    if (!BALLAST_LOAD(head->watch_times))
        return NULL;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    const struct ballast_service* row = destination ? ballast_row_of(destination->service) : NULL;
    return row && row->breaker.mode != BALLAST_MODE_OFF &&
                   (row->breaker.slow_connect_ms | row->breaker.reset_within_ms)
               ? &row->breaker
               : NULL;
}

BALLAST_INLINE struct ballast_time* time_at(const struct ballast_place* place) {
    __u32 bucket = place->bucket;
    struct ballast_bucket_times* found = bpf_map_lookup_elem(&times, &bucket);
    return found ? &found->entries[place->slot & BALLAST_BUCKET_WIDTH] : NULL;
}

BALLAST_INLINE void start_time(struct ballast_time* time, __u64 cookie) {
    time->since_ms = now_ms();
    time->cookie = (__u32)cookie;
}

/* Whether the socket's time runs, and for longer than `ms`. One that began under a policy without
 * times has none. */
BALLAST_INLINE bool is_later(const struct ballast_time* time, __u64 cookie, __u32 ms) {
    return time->cookie == (__u32)cookie && now_ms() - time->since_ms > ms;
}

/* SYN_SENT. */
BALLAST_INLINE void on_connecting(const struct ballast_control* head, __u64 cookie,
                                  const struct ballast_place* place) {
    ballast_entry_confirm(place->entry);
    struct ballast_time* time =
        timing(head, BALLAST_LOAD(place->entry->held)) ? time_at(place) : NULL;
    if (time)
        start_time(time, cookie);
}

/* The verdict on a probe is given once: the flag goes with it. */
BALLAST_INLINE bool take_probe(struct ballast_reservation* entry, __u32 held) {
    return (held & BALLAST_HELD_PROBE) &&
           ballast_entry_change(entry, held, held & ~BALLAST_HELD_PROBE);
}

BALLAST_INLINE void on_established(const struct ballast_control* head, __u64 cookie,
                                   const struct ballast_place* place) {
    __u32 held = BALLAST_LOAD(place->entry->held);
    const struct ballast_breaker_limits* limits = timing(head, held);
    bool is_slow = false;
    struct ballast_time* time = limits ? time_at(place) : NULL;
    if (time) {
        is_slow = limits->slow_connect_ms && is_later(time, cookie, limits->slow_connect_ms);
        start_time(time, cookie);
    }
    bool is_probe = take_probe(place->entry, held);
    __u32 index = ballast_held_destination(held);
    if (is_slow)
        ballast_report_failure(index, BALLAST_FAILURE_SLOW, 0, is_probe);
    else if (is_probe)
        ballast_report_probe(index, 1);
}

/* The kind of failure that this end of a connection is; BALLAST_NO_FAILURE: none. */
BALLAST_INLINE int failure_of_end(const struct ballast_control* head, struct sock* sk,
                                  int old_state, __u64 cookie, const struct ballast_place* place,
                                  __u32 held) {
    int error = sk->sk_err;
    if (old_state == TCP_SYN_SENT) {
        struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
        return ballast_failure_to_connect(error, tp ? tp->inet_conn.icsk_retransmits : 0);
    }
    if (error != ECONNRESET)
        return BALLAST_NO_FAILURE;
    const struct ballast_breaker_limits* limits = timing(head, held);
    if (!limits || !limits->reset_within_ms)
        return BALLAST_NO_FAILURE;
    struct ballast_time* time = time_at(place);
    return time && time->cookie == (__u32)cookie && !is_later(time, cookie, limits->reset_within_ms)
               ? BALLAST_FAILURE_RESET
               : BALLAST_NO_FAILURE;
}

BALLAST_INLINE void on_close(const struct ballast_control* head, struct sock* sk, int old_state,
                             __u64 cookie, const struct ballast_place* place) {
    __u32 held = BALLAST_LOAD(place->entry->held);
    int kind = failure_of_end(head, sk, old_state, cookie, place, held);
    if (!ballast_entry_release(place->entry, cookie, &held))
        return;
    __u32 index = ballast_held_destination(held);
    __u32 is_probe = held & BALLAST_HELD_PROBE;
    if (kind != BALLAST_NO_FAILURE)
        ballast_report_failure(index, (__u32)kind, sk->sk_err, is_probe);
    else if (is_probe)
        ballast_report_probe(index, 0);
    ballast_give_back_held(held);
}

/* Whether the outcome may be needed: for a time, or because it is a breaker's probe. */
BALLAST_INLINE bool asks_of_establishment(const struct ballast_control* head) {
    return BALLAST_LOAD(head->watch_times) || BALLAST_LOAD(head->next_breaker) > 1;
}

/* Kept out of the programs proper, so that those need no stack and save no register for sockets
 * that Ballast does not govern. */
static __attribute__((noinline)) int on_change(struct sock* sk, int old_state, int new_state,
                                               __u64 cookie) {
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!head || (new_state == TCP_ESTABLISHED && !asks_of_establishment(head)))
        return 0;
    struct ballast_place place = ballast_find_reservation(cookie);
    if (!place.entry)
        return 0;
    if (new_state == TCP_CLOSE)
        on_close(head, sk, old_state, cookie, &place);
    else if (new_state == TCP_SYN_SENT)
        on_connecting(head, cookie, &place);
    else
        on_established(head, cookie, &place);
    return 0;
}

static __attribute__((noinline)) int on_destruction(__u64 cookie) {
    ballast_release(cookie);
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ballast_set_state, struct sock* sk, int old_state, int new_state) {
    if (new_state != TCP_CLOSE && new_state != TCP_SYN_SENT && new_state != TCP_ESTABLISHED)
        return 0;
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    return cookie ? on_change(sk, old_state, new_state, cookie) : 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(ballast_destroy, struct sock* sk) {
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    return cookie ? on_destruction(cookie) : 0;
}
