// SPDX-License-Identifier: GPL-2.0
/*
 * A connection is established: its socket gets back what connect_timeout had changed, and the
 * keepalive that its service has. What a program chooses later, be it the very value that Ballast
 * had set, is its own from then on. Attached only while some service has one of the two, since the
 * kernel runs them several times for each connection, and for each setsockopt(). An iterator gives
 * back keepalive when all is over.
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

/* The option of keepalive that a setsockopt() is for; BALLAST_KEEPALIVE_OPTIONS: of none. */
BALLAST_INLINE __u32 option_of(int level, int name) {
    if (level == SOL_SOCKET)
        return name == SO_KEEPALIVE ? BALLAST_KEEPALIVE_ON : BALLAST_KEEPALIVE_OPTIONS;
    if (level != IPPROTO_TCP)
        return BALLAST_KEEPALIVE_OPTIONS;
    switch (name) {
    case TCP_KEEPIDLE:
        return BALLAST_KEEPALIVE_IDLE;
    case TCP_KEEPINTVL:
        return BALLAST_KEEPALIVE_INTERVAL;
    case TCP_KEEPCNT:
        return BALLAST_KEEPALIVE_COUNT;
    case TCP_USER_TIMEOUT:
        return BALLAST_KEEPALIVE_USER_TIMEOUT;
    default:
        return BALLAST_KEEPALIVE_OPTIONS;
    }
}

/* Whether the kernel will take the value: of one that it refuses nothing is to be remembered. */
BALLAST_INLINE bool is_accepted(__u32 option, int value) {
    switch (option) {
    case BALLAST_KEEPALIVE_ON:
        return true;
    case BALLAST_KEEPALIVE_USER_TIMEOUT:
        return value >= 0;
    case BALLAST_KEEPALIVE_COUNT:
        return value > 0 && value <= (int)BALLAST_MOST_KEEPALIVE_COUNT;
    default:
        return value > 0 && value <= (int)BALLAST_MOST_KEEPALIVE_S;
    }
}

BALLAST_INLINE void note_choice(struct bpf_sockopt* ctx, __u32 option) {
    int* value = ctx->optval;
    struct bpf_sock* sk = ctx->sk;
    if (!sk || (void*)(value + 1) > ctx->optval_end || !is_accepted(option, *value))
        return;
    struct ballast_kept_keepalive* kept = bpf_sk_storage_get(&keepalives, sk, NULL, 0);
    if (kept)
        kept->written &= ~(1u << option);
    if (option != BALLAST_KEEPALIVE_USER_TIMEOUT)
        return;
    struct ballast_user_timeout* timeout = bpf_sk_storage_get(&user_timeouts, sk, NULL, 0);
    if (timeout)
        timeout->set_ms = 0;
}

/* Runs with the socket locked, before the kernel sets the option. Length 0 has the kernel read the
 * value from the program, which it otherwise copies, and refuses where it is longer than a page
 * (kernel/bpf/cgroup.c, __cgroup_bpf_run_filter_setsockopt()). */
SEC("cgroup/setsockopt")
int ballast_choose(struct bpf_sockopt* ctx) {
    __u32 option = option_of(ctx->level, ctx->optname);
    ctx->optlen = 0;
    if (option < BALLAST_KEEPALIVE_OPTIONS)
        note_choice(ctx, option);
    return PASS;
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
