// SPDX-License-Identifier: GPL-2.0
/*
 * Admission: what happens when a program calls connect(). The kernel runs connect4 and connect6
 * under the socket lock on a socket in CLOSE (net/ipv4/af_inet.c, __inet_stream_connect()), TCP
 * fast open included. The states and the invariants are those of bpf/lib/reservation.h and
 * bpf/lib/limit.h.
 *
 * A destination that no policy governs costs one failed look-up in the prefix trie.
 */
#include "bpf/breaker.h"
#include "bpf/counted.h"
#include "bpf/lib/rate.h"
#include "bpf/places.h"
#include "bpf/timeout.h"
#include "bpf/watch.h"

#include <bpf/bpf_endian.h>

#define ADMIT 1
#define REFUSE 0

/* BTF view of the socket: cookie and namespace without a helper call each. */
BALLAST_INLINE const struct sock_common* common_of(const struct tcp_sock* tp) {
    return &tp->inet_conn.icsk_inet.sk.__sk_common;
}

/* An earlier connect() of this socket may have left a reservation, if it failed before SYN_SENT,
 * and its timeout, if it failed at all. */
static __attribute__((noinline)) int clear_earlier(struct bpf_sock_addr* ctx, __u64 cookie) {
    struct bpf_sock* sk = ctx->sk;
    ballast_release(cookie, sk ? (const struct sock*)bpf_skc_to_tcp_sock(sk) : NULL);
    if (sk)
        ballast_restore_timeout(ctx, sk);
    return 0;
}

/* Changes a socket only where the limit is enforced. */
BALLAST_INLINE void bound_connect(struct bpf_sock_addr* ctx,
                                  const struct ballast_service* service) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct bpf_sock* sk = ctx->sk;
    if (sk && head && BALLAST_LOAD(head->tuning) &&
        ballast_over_limit(head, service->mode, bpf_ktime_get_coarse_ns()) == BALLAST_REFUSE)
        ballast_bound_connect(ctx, sk, service->connect_timeout_ms,
                              BALLAST_LOAD(head->ticks_per_second));
}

#define TAKEN_ALL (-1)
#define TAKEN_NONE (-2) /* destination is being recycled */

/* Takes a place in every count, or in none and returns the reason. Counts that rarely refuse are
 * checked before the destination's is touched, so that a failing attempt does not hold a place of
 * it for a moment (lib/limit.h, C2); only one that loses a race there does. */
BALLAST_INLINE int take_all(const struct ballast_places* at, const struct ballast_service* service,
                            __u32 ramped) {
    __u32 most = ramped < service->max_connections ? ramped : service->max_connections;
    if (at->share && BALLAST_LOAD(at->share->in_use) >= service->max_per_consumer)
        return BALLAST_REASON_CONSUMER;
    if (BALLAST_LOAD(at->total->in_use) >= service->max_total)
        return BALLAST_REASON_TOTAL;
    switch (ballast_take(&at->destination->in_use, most)) {
    case BALLAST_TAKEN:
        break;
    case BALLAST_TAKE_FULL:
        return most == service->max_connections ? BALLAST_REASON_LIMIT : BALLAST_REASON_BREAKER;
    default:
        return TAKEN_NONE;
    }
    if (ballast_take(&at->total->in_use, service->max_total) == BALLAST_TAKEN) {
        if (!at->share ||
            ballast_take(&at->share->in_use, service->max_per_consumer) == BALLAST_TAKEN)
            return TAKEN_ALL;
        ballast_give_back_count(&at->total->in_use);
        ballast_give_back_count(&at->destination->in_use);
        return BALLAST_REASON_CONSUMER;
    }
    ballast_give_back_count(&at->destination->in_use);
    return BALLAST_REASON_TOTAL;
}

/* Counts a refusal, or what would have been one. A counter's address is taken where its number is
 * checked, since the verifier forgets the bounds of a number that had to leave its register. */
BALLAST_INLINE void count_reason(__u64* counters, __u64 reason) {
    __u64* counter = reason < BALLAST_REASONS ? &counters[reason] : NULL;
    if (counter)
        ballast_count(counter);
}

/* Whether a connection that a guard objects to is refused, and counts it either way. */
static __attribute__((noinline)) bool is_refused(struct ballast_destination* destination,
                                                 __u64 reason, __u32 mode) {
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!head || !destination)
        return false;
    destination->last_use_ns = bpf_ktime_get_coarse_ns();
    switch (ballast_over_limit(head, (__u8)mode, destination->last_use_ns)) {
    case BALLAST_REFUSE:
        count_reason(destination->refused, reason);
        return true;
    case BALLAST_PASS_DISARMED:
        BALLAST_COUNT_EVENT(disarmed);
        break;
    case BALLAST_PASS_DAEMON_SILENT:
        BALLAST_COUNT_EVENT(daemon_silent);
        break;
    case BALLAST_PASS_OBSERVED:
        break;
    }
    count_reason(destination->over, reason);
    return false;
}

/* Whether the connection, which has its places, comes within the rate. */
BALLAST_INLINE bool is_in_rate(struct ballast_destination* destination,
                               const struct ballast_service* service) {
    if (!service->rate_interval_ns)
        return true;
    switch (ballast_rate_take(&destination->rate_tat_ns, service->rate_interval_ns,
                              service->rate_burst_ns, bpf_ktime_get_ns())) {
    case BALLAST_RATE_OVER:
        return false;
    case BALLAST_RATE_CONTENDED:
        BALLAST_COUNT_EVENT(rate_contended);
        return true;
    default:
        return true;
    }
}

BALLAST_INLINE __u8 mode_of(const struct ballast_service* service, __u32 reason) {
    return reason == BALLAST_REASON_BREAKER ? service->breaker.mode : service->mode;
}

/* Whether a breaker lets the connection pass; *ramped: the limit it leaves. */
BALLAST_INLINE bool passes_breaker(struct bpf_sock_addr* ctx, struct ballast_places* at,
                                   const struct ballast_service* service, __u32* ramped) {
    *ramped = BALLAST_UNLIMITED;
    if (!BALLAST_LOAD(at->destination->ask))
        return true;
    struct bpf_sock* sk = ctx->sk;
    struct tcp_sock* tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
    __u64 asked =
        ballast_ask_breaker(ballast_held_destination(at->held), tp ? ballast_party_of(tp) : 0);
    __u32 verdict = BALLAST_ASKED_VERDICT(asked);
    if (verdict == BALLAST_BREAKER_ADMIT_PROBE)
        at->held |= BALLAST_HELD_PROBE;
    if (service->breaker.mode == BALLAST_MODE_ENFORCE)
        *ramped = BALLAST_ASKED_LIMIT(asked);
    return verdict != BALLAST_BREAKER_REFUSE ||
           !is_refused(at->destination, BALLAST_REASON_BREAKER, service->breaker.mode);
}

/* false: refused. */
BALLAST_INLINE bool reserve(const struct ballast_places* at, const struct ballast_service* service,
                            __u32 ramped, int* taken) {
    *taken = take_all(at, service, ramped);
    if (*taken >= 0) {
        __u32 reason = (__u32)*taken;
        if (is_refused(at->destination, reason, mode_of(service, reason)))
            return false;
        *taken = ballast_take_beyond(at) ? TAKEN_ALL : TAKEN_NONE;
    }
    if (*taken == TAKEN_NONE) {
        BALLAST_COUNT_EVENT(retiring);
        return true;
    }
    if (is_in_rate(at->destination, service) ||
        !is_refused(at->destination, BALLAST_REASON_RATE, service->mode))
        return true;
    ballast_give_back_held(at->held);
    return false;
}

/* A probe without a reservation has no end that would report its outcome. */
BALLAST_INLINE void lose_probe(__u32 held) {
    if (held & BALLAST_HELD_PROBE)
        ballast_lose_probe(held);
}

BALLAST_INLINE int refuse(const struct ballast_service* service) {
    bpf_set_retval(ballast_refusal_errno(service->on_limit));
    return REFUSE;
}

/* With TCP_FASTOPEN_CONNECT and a cookie at hand connect() ends in SYN_SENT and sends nothing until
 * the program writes (net/ipv4/tcp_fastopen.c, tcp_fastopen_defer_connect()), however late that is:
 * the socket is watched from now on, and its reservation is a connection's. */
BALLAST_INLINE bool is_watched_early(struct bpf_sock_addr* ctx, const struct tcp_sock* tp) {
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!head || !BPF_CORE_READ_BITFIELD(tp, fastopen_connect))
        return false;
    ballast_watch(ctx, tp, head);
    return true;
}

/* Admission where the policy says something of the address. Not part of the programs proper, so
 * that those save no register for the destinations that are not governed. */
static __attribute__((noinline)) int admit_by(struct bpf_sock_addr* ctx, const struct tcp_sock* tp,
                                              const union ballast_address* address,
                                              const struct ballast_prefix_rule* rule) {
    __u16 port = bpf_ntohs((__u16)ctx->user_port);
    struct ballast_who who = {};
    const struct ballast_service* service = ballast_service_at(ballast_row_by(rule, port, &who));
    struct ballast_places at = {};
    if (!service || ballast_joins(tp) || !ballast_find_places(&at, service, address, port, &who))
        return ADMIT;

    int taken;
    __u32 ramped;
    if (!passes_breaker(ctx, &at, service, &ramped))
        return refuse(service);
    if (!reserve(&at, service, ramped, &taken)) {
        lose_probe(at.held);
        return refuse(service);
    }
    at.destination->last_use_ns = bpf_ktime_get_coarse_ns();
    __u32 pending = is_watched_early(ctx, tp) ? 0 : BALLAST_PENDING;
    if (taken == TAKEN_ALL &&
        ballast_insert_reservation(bpf_get_socket_cookie(ctx), at.held | pending,
                                   common_of(tp)->skc_net.net->ns.inum)) {
        ballast_count(&at.destination->admitted);
        ballast_recent_note(at.destination, at.destination->last_use_ns);
        if (service->connect_timeout_ms)
            bound_connect(ctx, service);
        return ADMIT;
    }
    lose_probe(at.held);
    if (taken == TAKEN_ALL)
        ballast_give_back_held(at.held);
    return ADMIT;
}

BALLAST_INLINE int admit(struct bpf_sock_addr* ctx, const union ballast_address* address) {
    if (ctx->protocol != IPPROTO_TCP)
        return ADMIT;
    struct bpf_sock* sk = ctx->sk;
    const struct tcp_sock* tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
    if (!tp)
        return ADMIT;
    __u64 cookie = (__u64)common_of(tp)->skc_cookie.counter;
    if (cookie)
        clear_earlier(ctx, cookie);
    const struct ballast_prefix_rule* rule = ballast_find_rule(address);
    return rule ? admit_by(ctx, tp, address, rule) : ADMIT;
}

SEC("cgroup/connect4")
int ballast_connect4(struct bpf_sock_addr* ctx) {
    union ballast_address address;
    ballast_address_v4(&address, ctx->user_ip4);
    return admit(ctx, &address);
}

SEC("cgroup/connect6")
int ballast_connect6(struct bpf_sock_addr* ctx) {
    if (ctx->user_family != AF_INET6)
        return ADMIT;
    __u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
    union ballast_address address;
    ballast_address_v6(&address, words);
    return admit(ctx, &address);
}
