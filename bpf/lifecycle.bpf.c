// SPDX-License-Identifier: GPL-2.0
/*
 * The rest of a connection's life: confirms a reservation at SYN_SENT, releases it at CLOSE, and
 * when the socket is destroyed (states and invariants: bpf/lib/reservation.h). Runs for every TCP
 * socket of the host, so the common case must end at once: a socket without a cookie has no
 * reservation, since reserving makes one.
 *
 * Who sees it: sockops, for sockets that it watches (watch.h), and cgroup/sock_release for sockets
 * that are closed without having left CLOSE; the kernel never leaves either out. Where not all can
 * be watched, two tracing programs too: one at changes of state, one at the destruction, for the
 * kernel does not run a tracing program that is already running on the same CPU
 * (kernel/trace/bpf_trace.c, __bpf_trace_run()). What nobody saw is the sweep's business.
 */
#include "bpf/breaker.h"
#include "bpf/counted.h"
#include "bpf/watch.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

BALLAST_INLINE __u32 now_ms(void) {
    return (__u32)(bpf_ktime_get_ns() / BALLAST_NS_PER_MS);
}

/* Where `connected` has the last connect of a socket's consumer to its port. The address of the
 * cgroup is as good as its number. */
BALLAST_INLINE __u32* connected_by(struct tcp_sock* tp) {
    __u64 who = ballast_cgroup_of_socket(tp) + tp->inet_conn.icsk_inet.sk.__sk_common.skc_dport;
    __u32 at = (__u32)(who * 0x9e3779b97f4a7c15ull >> 40) & (BALLAST_CONNECTED_PLACES - 1);
    return bpf_map_lookup_elem(&connected, &at);
}

BALLAST_INLINE void note_connected(struct sock* sk) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    __u32* at = tp ? connected_by(tp) : NULL;
    __u32 now = now_ms();
    if (at)
        *at = now ? now : 1;
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

/* Connected to itself: the port that it was given is the one it asks for, where nobody listens
 * (net/ipv4/tcp_input.c, tcp_rcv_synsent_state_process(), a crossed connection of one socket). */
BALLAST_INLINE bool is_its_own_peer(const struct sock_common* skc) {
    if (skc->skc_num != bpf_ntohs(skc->skc_dport))
        return false;
    if (skc->skc_family != AF_INET6)
        return skc->skc_rcv_saddr == skc->skc_daddr;
    for (int i = 0; i < 4; i++)
        if (skc->skc_v6_rcv_saddr.in6_u.u6_addr32[i] != skc->skc_v6_daddr.in6_u.u6_addr32[i])
            return false;
    return true;
}

/* Whether a success matters to a breaker. */
BALLAST_INLINE bool has_breaker(__u32 index) {
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    return destination && BALLAST_LOAD(destination->breaker);
}

BALLAST_INLINE void on_established(const struct ballast_control* head, struct sock* sk,
                                   __u64 cookie, const struct ballast_place* place) {
    __u32 held = BALLAST_LOAD(place->entry->held);
    const struct ballast_breaker_limits* limits = timing(head, held);
    bool is_slow = false;
    struct ballast_time* time = limits ? time_at(place) : NULL;
    if (time) {
        is_slow = limits->slow_connect_ms && is_later(time, cookie, limits->slow_connect_ms);
        start_time(time, cookie);
    }
    struct ballast_outcome end = {.destination = ballast_held_destination(held),
                                  .is_probe = take_probe(place->entry, held)};
    bool is_failure = is_slow || is_its_own_peer(&sk->__sk_common);
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!tp || (!is_failure && !end.is_probe && !has_breaker(end.destination)))
        return;
    end.who = ballast_party_of(tp);
    end.kind = is_slow ? BALLAST_FAILURE_SLOW : BALLAST_FAILURE_REFUSED;
    end.error = is_slow ? 0 : ECONNREFUSED;
    if (is_failure)
        ballast_report_failure(&end);
    else
        ballast_report_success(&end);
}

/* When a socket in SYN_SENT sent its first SYN; 0: not known, or days ago. */
BALLAST_INLINE __u64 began_ms(const struct tcp_sock* tp) {
    __u64 now = bpf_ktime_get_ns() / BALLAST_NS_PER_MS;
    __u32 ago = (__u32)now - tp->retrans_stamp;
    return tp->retrans_stamp && ago < now && ago < 0x10000000u ? now - ago : 0;
}

/* Why a socket that was connecting is closed. */
BALLAST_INLINE int failure_to_connect(struct ballast_control* head, struct tcp_sock* tp,
                                      struct ballast_outcome* end) {
    int error = end->error;
    __u64 sent_us = tp->tcp_mstamp;
    __u64 now_us = bpf_ktime_get_ns() / 1000;
    struct ballast_given_up by = {.retransmits = tp->inet_conn.icsk_retransmits};
    end->began_ms = began_ms(tp);
    end->is_given_up = !error && !by.retransmits;
    if (end->is_given_up && tp->segs_out && now_us > sent_us) {
        __u32* connected_at = connected_by(tp);
        by.waited_ms = (__u32)((now_us - sent_us) / 1000);
        if (BALLAST_LOAD(head->watch_connects) && connected_at)
            by.connected_ms = *connected_at ? now_ms() - *connected_at : ~0u;
        head->watch_connects = 1; /* the next one can be judged */
    }
    return ballast_failure_to_connect(error, &by);
}

/* The kind of failure that this end of a connection is; BALLAST_NO_FAILURE: none. */
BALLAST_INLINE int failure_of_end(struct ballast_control* head, struct sock* sk, int old_state,
                                  __u64 cookie, const struct ballast_place* place,
                                  struct ballast_outcome* end) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!tp)
        return BALLAST_NO_FAILURE;
    if (old_state == TCP_SYN_SENT)
        return failure_to_connect(head, tp, end);
    if (sk->sk_err != ECONNRESET)
        return BALLAST_NO_FAILURE;
    const struct ballast_breaker_limits* limits = timing(head, BALLAST_LOAD(place->entry->held));
    if (!limits || !limits->reset_within_ms)
        return BALLAST_NO_FAILURE;
    struct ballast_time* time = time_at(place);
    return time && time->cookie == (__u32)cookie && !is_later(time, cookie, limits->reset_within_ms)
               ? BALLAST_FAILURE_RESET
               : BALLAST_NO_FAILURE;
}

BALLAST_INLINE void on_close(struct ballast_control* head, struct sock* sk, int old_state,
                             __u64 cookie, const struct ballast_place* place) {
    struct ballast_outcome end = {.error = sk->sk_err};
    int kind = failure_of_end(head, sk, old_state, cookie, place, &end);
    __u32 held;
    if (!ballast_entry_release(place->entry, cookie, &held))
        return;
    end.destination = ballast_held_destination(held);
    end.is_probe = held & BALLAST_HELD_PROBE;
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (kind != BALLAST_NO_FAILURE && tp) {
        end.kind = (__u32)kind;
        end.who = ballast_party_of(tp);
        ballast_report_failure(&end);
    } else if (end.is_probe) {
        ballast_lose_probe(held);
    }
    ballast_give_back_held(held);
}

/* Whether the outcome may be needed: for a time, or because there is a breaker. */
BALLAST_INLINE bool asks_of_establishment(const struct ballast_control* head) {
    return BALLAST_LOAD(head->watch_times) || BALLAST_LOAD(head->next_breaker) > 1;
}

/* Kept out of the programs proper, so that those need no stack and save no register for sockets
 * that Ballast does not govern. */
static __attribute__((noinline)) int on_change(struct sock* sk, int old_state, int new_state,
                                               __u64 cookie) {
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!head)
        return 0;
    if (new_state == TCP_ESTABLISHED) {
        if (old_state == TCP_SYN_SENT && BALLAST_LOAD(head->watch_connects))
            note_connected(sk);
        if (!asks_of_establishment(head))
            return 0;
    }
    struct ballast_place place = ballast_find_reservation(cookie);
    if (!place.entry)
        return 0;
    if (new_state == TCP_CLOSE)
        on_close(head, sk, old_state, cookie, &place);
    else if (new_state == TCP_SYN_SENT)
        on_connecting(head, cookie, &place);
    else
        on_established(head, sk, cookie, &place);
    return 0;
}

/* As the tracepoint sees it, which leaves watched sockets to `state`. */
static __attribute__((noinline)) int on_traced_change(struct sock* sk, int old_state, int new_state,
                                                      __u64 cookie) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!head || !tp || ballast_is_watched(tp, head))
        return 0;
    return on_change(sk, old_state, new_state, cookie);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ballast_set_state, struct sock* sk, int old_state, int new_state) {
    if (new_state != TCP_CLOSE && new_state != TCP_SYN_SENT && new_state != TCP_ESTABLISHED)
        return 0;
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    return cookie ? on_traced_change(sk, old_state, new_state, cookie) : 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(ballast_destroy, struct sock* sk) {
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    if (cookie)
        ballast_release(cookie, NULL); /* sock_release has reported what failed */
    return 0;
}

#define PASS 1

/*
 * What `state` does at each event. A function each with as little on its stack as can be:
 * on_change() may go on to report to a breaker, and older kernels round each frame up to 32 bytes
 * of the 512 that all have together (kernel/bpf/verifier.c, check_max_stack_depth()).
 */

BALLAST_INLINE struct tcp_sock* tcp_sock_of(struct bpf_sock_ops* ctx) {
    struct bpf_sock* sk = ctx->sk;
    return sk ? bpf_skc_to_tcp_sock(sk) : NULL;
}

BALLAST_INLINE __u64 cookie_of(const struct tcp_sock* tp) {
    return (__u64)tp->inet_conn.icsk_inet.sk.__sk_common.skc_cookie.counter;
}

/* The SYN is about to be sent: from here on the kernel reports the socket's changes of state. */
static __attribute__((noinline)) int on_syn(struct bpf_sock_ops* ctx) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct tcp_sock* tp = tcp_sock_of(ctx);
    __u64 cookie = tp ? cookie_of(tp) : 0;
    if (!head || !cookie)
        return 0;
    struct ballast_place place = ballast_find_reservation(cookie);
    if (!place.entry)
        return 0;
    on_connecting(head, cookie, &place);
    bpf_sock_ops_cb_flags_set(ctx, (int)(ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG));
    return 0;
}

/* By now the socket is in ESTABLISHED. */
static __attribute__((noinline)) int on_handshake_done(struct bpf_sock_ops* ctx) {
    int before = ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB ? TCP_SYN_SENT : TCP_SYN_RECV;
    struct tcp_sock* tp = tcp_sock_of(ctx);
    if (tp && cookie_of(tp))
        on_change(&tp->inet_conn.icsk_inet.sk, before, TCP_ESTABLISHED, cookie_of(tp));
    return 0;
}

/* Where it is not the destination's connection (counted.h). */
static __attribute__((noinline)) int give_back_if_redirected(struct bpf_sock_ops* ctx) {
    struct bpf_sock* sk = ctx->sk;
    struct tcp_sock* tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
    if (tp && cookie_of(tp) && ballast_mark_redirected(ctx, sk, tp))
        ballast_release(cookie_of(tp), NULL);
    return 0;
}

static __attribute__((noinline)) int on_closed(struct bpf_sock_ops* ctx) {
    struct tcp_sock* tp = tcp_sock_of(ctx);
    if (tp && cookie_of(tp))
        on_change(&tp->inet_conn.icsk_inet.sk, (int)ctx->args[0], TCP_CLOSE, cookie_of(tp));
    return 0;
}

BALLAST_INLINE void on_established_event(struct bpf_sock_ops* ctx) {
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!(ctx->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG) || !head)
        return;
    if (BALLAST_LOAD(head->watch_connects) || asks_of_establishment(head))
        on_handshake_done(ctx);
    if (BALLAST_LOAD(head->redirects))
        give_back_if_redirected(ctx);
}

/* Never left out. Most runs have nothing to do: the kernel calls for much else, and of a watched
 * socket's changes of state only the last matters. */
SEC("sockops")
int ballast_state(struct bpf_sock_ops* ctx) {
    switch (ctx->op) {
    case BPF_SOCK_OPS_STATE_CB:
        if (ctx->args[1] == TCP_CLOSE)
            on_closed(ctx);
        break;
    case BPF_SOCK_OPS_TCP_CONNECT_CB:
        on_syn(ctx);
        break;
    case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
    case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB: /* crossed SYNs, as of a socket with itself */
        on_established_event(ctx);
        break;
    default:
        break;
    }
    return PASS;
}

/* A process closes a socket that has no connection, as after a connect() that failed before its SYN
 * was sent: nothing else reports it. One in SYN_SENT that has sent its SYN is watched, and
 * its change to CLOSE follows; with TCP fast open none may have been sent. */
SEC("cgroup/sock_release")
int ballast_sock_release(struct bpf_sock* ctx) {
    if (ctx->protocol != IPPROTO_TCP || (ctx->state != TCP_CLOSE && ctx->state != TCP_SYN_SENT))
        return PASS;
    const struct tcp_sock* tp = (const struct tcp_sock*)ctx;
    if (ctx->state == TCP_SYN_SENT &&
        (BPF_CORE_READ(tp, bpf_sock_ops_cb_flags) & BPF_SOCK_OPS_STATE_CB_FLAG))
        return PASS;
    ballast_release(bpf_get_socket_cookie(ctx), (const struct sock*)ctx);
    return PASS;
}
