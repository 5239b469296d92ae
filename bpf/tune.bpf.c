// SPDX-License-Identifier: GPL-2.0
/*
 * A connection is established: its socket gets back what connect_timeout had changed, and the
 * keepalive that its service has. Attached only while some service has one of the two, since the
 * kernel runs it several times for each connection. An iterator gives back keepalive when all is
 * over.
 */
#include "bpf/keepalive.h"
#include "bpf/timeout.h"

#include <bpf/bpf_tracing.h>

#define PASS 1

BALLAST_INLINE void start_keepalive(struct bpf_sock_ops* ctx, struct bpf_sock* sk) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!tp || !head)
        return;
    __u64 cookie = (__u64)tp->inet_conn.icsk_inet.sk.__sk_common.skc_cookie.counter;
    struct ballast_keepalive_wish wish = {};
    if (!cookie || ballast_wish_keepalive(cookie, &wish) != BALLAST_MODE_ENFORCE)
        return;
    struct ballast_keepalive_look look = {};
    ballast_keep_alive(ctx, sk, tp, BALLAST_LOAD(head->ticks_per_second), &wish, true, &look);
}

/* Every socket gets back what its application had; `ballast unload` reads it. */
SEC("iter/tcp")
int ballast_restore(struct bpf_iter__tcp* ctx) {
    struct sock_common* skc = ctx->sk_common;
    struct tcp_sock* tp = skc ? bpf_skc_to_tcp_sock(skc) : NULL;
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!skc || !tp || !head || !ballast_may_keep_alive(skc) ||
        !bpf_sk_storage_get(&keepalives, skc, NULL, 0))
        return 0;
    const struct ballast_keepalive_wish none = {};
    struct ballast_keepalive_look look = {};
    ballast_keep_alive(skc, skc, tp, BALLAST_LOAD(head->ticks_per_second), &none, false, &look);
    return 0;
}

SEC("sockops")
int ballast_tune(struct bpf_sock_ops* ctx) {
    struct bpf_sock* sk = ctx->sk;
    if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || !sk)
        return PASS;
    ballast_restore_timeout(ctx, sk);
    start_keepalive(ctx, sk);
    return PASS;
}
