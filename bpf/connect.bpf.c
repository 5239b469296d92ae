// SPDX-License-Identifier: GPL-2.0
/*
 * Admission: what happens when a program calls connect(). The kernel runs connect4 and connect6
 * under the socket lock on a socket in CLOSE (net/ipv4/af_inet.c, __inet_stream_connect()), TCP
 * fast open included. The states and the invariants are those of bpf/lib/reservation.h and
 * bpf/lib/limit.h.
 *
 * A destination that no policy governs costs one failed look-up in the prefix trie.
 */
#include "bpf/tables.h"

#include <linux/in.h>

#include <bpf/bpf_endian.h>

#define ADMIT 1
#define REFUSE 0

/* BTF view of the socket: cookie and namespace without a helper call each. */
BALLAST_INLINE struct sock_common* common_of(struct bpf_sock* sk) {
    struct tcp_sock* tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
    return tp ? &tp->inet_conn.icsk_inet.sk.__sk_common : NULL;
}

/* An earlier connect() of this socket that failed before SYN_SENT may have left a reservation. */
BALLAST_INLINE void release_earlier(const struct sock_common* skc) {
    __u64 cookie = (__u64)skc->skc_cookie.counter;
    if (cookie)
        ballast_release(cookie);
}

/* Counts a place beyond the limit; false when the destination is being recycled. */
BALLAST_INLINE bool take_beyond(struct ballast_destination* destination) {
    if (ballast_take(&destination->in_use, BALLAST_RETIRED - 1) != BALLAST_TAKEN)
        return false;
    ballast_count(&destination->over_limit);
    return true;
}

enum outcome { OUTCOME_TAKEN, OUTCOME_REFUSED, OUTCOME_UNCOUNTED };

static __attribute__((noinline)) int at_limit(struct ballast_destination* destination,
                                              const struct ballast_limit* limit) {
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!head || !destination || !limit)
        return OUTCOME_UNCOUNTED;
    switch (ballast_over_limit(head, limit->mode, bpf_ktime_get_coarse_ns())) {
    case BALLAST_REFUSE:
        ballast_count(&destination->refused);
        return OUTCOME_REFUSED;
    case BALLAST_PASS_DISARMED:
        BALLAST_COUNT_EVENT(disarmed);
        break;
    case BALLAST_PASS_DAEMON_SILENT:
        BALLAST_COUNT_EVENT(daemon_silent);
        break;
    case BALLAST_PASS_OBSERVED:
        break;
    }
    return take_beyond(destination) ? OUTCOME_TAKEN : OUTCOME_UNCOUNTED;
}

BALLAST_INLINE int take_place(struct ballast_destination* destination,
                              const struct ballast_limit* limit) {
    switch (ballast_take(&destination->in_use, limit->max_connections)) {
    case BALLAST_TAKEN:
        return OUTCOME_TAKEN;
    case BALLAST_TAKE_FULL:
        return at_limit(destination, limit);
    default:
        BALLAST_COUNT_EVENT(retiring);
        return OUTCOME_UNCOUNTED;
    }
}

BALLAST_INLINE int admit(struct bpf_sock_addr* ctx, const union ballast_address* address) {
    if (ctx->protocol != IPPROTO_TCP)
        return ADMIT;
    struct sock_common* skc = common_of(ctx->sk);
    if (!skc)
        return ADMIT;
    release_earlier(skc);

    __u16 port = bpf_ntohs((__u16)ctx->user_port);
    const struct ballast_limit* limit = ballast_find_limit(address, port);
    if (!limit)
        return ADMIT;
    __s64 found = ballast_destination_of(limit->service, address, port);
    if (found < 0)
        return ADMIT;
    __u32 index = (__u32)found;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return ADMIT;

    int outcome = take_place(destination, limit);
    if (outcome == OUTCOME_REFUSED) {
        bpf_set_retval(ballast_refusal_errno(limit->on_limit));
        return REFUSE;
    }
    destination->last_use_ns = bpf_ktime_get_coarse_ns();
    if (outcome == OUTCOME_UNCOUNTED)
        return ADMIT;
    if (ballast_insert_reservation(bpf_get_socket_cookie(ctx), index | BALLAST_PENDING,
                                   skc->skc_net.net->ns.inum))
        ballast_count(&destination->admitted);
    else
        ballast_give_back_place(index);
    return ADMIT;
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
