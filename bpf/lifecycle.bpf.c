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

BALLAST_INLINE const struct ballast_breaker_limits* watching(__u32 held) {
    __u32 index = ballast_held_destination(held);
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    const struct ballast_service* row = destination ? ballast_row_of(destination->service) : NULL;
    return row && row->breaker.mode != BALLAST_MODE_OFF ? &row->breaker : NULL;
}

BALLAST_INLINE __u32* time_of(const struct ballast_place* place) {
    __u32 bucket = place->bucket;
    struct ballast_bucket_times* found = bpf_map_lookup_elem(&times, &bucket);
    return found ? &found->since_ms[place->slot & BALLAST_BUCKET_WIDTH] : NULL;
}

/* SYN_SENT. */
BALLAST_INLINE void on_connecting(const struct ballast_place* place) {
    const struct ballast_breaker_limits* limits = watching(BALLAST_LOAD(place->entry->held));
    ballast_entry_confirm(place->entry);
    if (!limits || !(limits->slow_connect_ms | limits->reset_within_ms))
        return;
    __u32* since_ms = time_of(place);
    if (since_ms)
        *since_ms = now_ms();
}

/* The verdict on a probe is given once: the flag goes with it. */
BALLAST_INLINE bool take_probe(struct ballast_reservation* entry, __u32 held) {
    return (held & BALLAST_HELD_PROBE) &&
           ballast_entry_change(entry, held, held & ~BALLAST_HELD_PROBE);
}

BALLAST_INLINE void on_established(const struct ballast_place* place) {
    __u32 held = BALLAST_LOAD(place->entry->held);
    const struct ballast_breaker_limits* limits = watching(held);
    bool is_slow = false;
    if (!limits)
        return;
    __u32* since_ms = limits->slow_connect_ms | limits->reset_within_ms ? time_of(place) : NULL;
    if (since_ms) {
        __u32 now = now_ms();
        is_slow = limits->slow_connect_ms && now - *since_ms > limits->slow_connect_ms;
        *since_ms = now;
    }
    bool is_probe = take_probe(place->entry, held);
    __u32 index = ballast_held_destination(held);
    if (is_slow)
        ballast_report_failure(index, BALLAST_FAILURE_SLOW, 0, is_probe);
    else if (is_probe)
        ballast_report_probe(index, 1);
}

/* The kind of failure that this end of a connection is; BALLAST_NO_FAILURE: none. */
BALLAST_INLINE int failure_of_end(struct sock* sk, int old_state, const struct ballast_place* place,
                                  const struct ballast_breaker_limits* limits) {
    int error = sk->sk_err;
    if (old_state == TCP_SYN_SENT) {
        struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
        return ballast_failure_to_connect(error, tp ? tp->inet_conn.icsk_retransmits : 0);
    }
    if (error != ECONNRESET || !limits->reset_within_ms)
        return BALLAST_NO_FAILURE;
    __u32* since_ms = time_of(place);
    return since_ms && now_ms() - *since_ms <= limits->reset_within_ms ? BALLAST_FAILURE_RESET
                                                                       : BALLAST_NO_FAILURE;
}

BALLAST_INLINE void on_close(struct sock* sk, int old_state, __u64 cookie,
                             const struct ballast_place* place) {
    __u32 held = BALLAST_LOAD(place->entry->held);
    const struct ballast_breaker_limits* limits = watching(held);
    int kind = limits ? failure_of_end(sk, old_state, place, limits) : BALLAST_NO_FAILURE;
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

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ballast_set_state, struct sock* sk, int old_state, int new_state) {
    if (new_state != TCP_CLOSE && new_state != TCP_SYN_SENT && new_state != TCP_ESTABLISHED)
        return 0;
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    if (!cookie)
        return 0;
    struct ballast_place place = ballast_find_reservation(cookie);
    if (!place.entry)
        return 0;
    if (new_state == TCP_CLOSE)
        on_close(sk, old_state, cookie, &place);
    else if (new_state == TCP_SYN_SENT)
        on_connecting(&place);
    else
        on_established(&place);
    return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(ballast_destroy, struct sock* sk) {
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    if (cookie)
        ballast_release(cookie);
    return 0;
}
