// SPDX-License-Identifier: GPL-2.0
/*
 * The sweep of one network namespace: visits every TCP socket of its hash table with the socket
 * locked (net/ipv4/tcp_ipv4.c, bpf_iter_tcp_seq_show()). For each outbound connection that a policy
 * governs it does what account.h says, and sets or gives back its keepalive. Emits one record a
 * socket. May meet a socket twice or miss one when a bucket changes under it (fixed in 6.17), so
 * everything it does is idempotent. Until then it may also miss a whole bucket, unless somebody
 * listens in a certain place, which is why the daemon does (daemon/kernel/iterator_listener.h).
 * Its cost depends on the size of the host's hash table, of all namespaces together; hence
 * sweep_files.bpf.c for hosts with many namespaces.
 */
#include "bpf/account.h"

#include <bpf/bpf_tracing.h>

/* Its keepalive: what the policy wishes where it may be done, else what the application had. */
static __attribute__((noinline)) int keep_alive(struct sock_common* skc,
                                                struct ballast_flow* flow) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(skc);
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!tp || !head || !flow || !ballast_may_keep_alive(skc))
        return 0;
    struct ballast_keepalive_wish wish = {};
    struct ballast_keepalive_look look = {};
    int mode = ballast_wish_for(flow, &wish);
    __u32 ours = ballast_keep_alive(skc, skc, tp, BALLAST_LOAD(head->ticks_per_second), &wish,
                                    mode == BALLAST_MODE_ENFORCE, &look);
    ballast_show_keepalive(flow, look.force, ballast_keepalive_setter(&look.own, ours));
    if (!ours)
        flow->keepalive.lack = ballast_lack_of(&look, &wish, mode);
    return 0;
}

BALLAST_INLINE void watch(struct sock_common* skc, const struct tcp_sock* tp,
                          struct ballast_control* head) {
    if (ballast_is_watch_lost(tp))
        head->lost_watch = 1;
    if (!ballast_is_watched(tp, head))
        head->unwatched = head->sweep;
    ballast_watch(skc, tp, head);
}

BALLAST_INLINE void visit(struct sock_common* skc, struct seq_file* seq,
                          struct ballast_control* head, struct ballast_sweep_totals* sums) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(skc);
    if (!tp)
        return;
    struct ballast_flow* flow = ballast_describe(skc, tp, (__u64)skc->skc_cookie.counter);
    if (!flow)
        return;
    ballast_account(skc, tp, flow, head, sums);
    if (flow->flags & BALLAST_FLOW_RESERVED)
        watch(skc, tp, head);
    keep_alive(skc, flow);
    if ((flow->flags & (BALLAST_FLOW_ZERO_WINDOW | BALLAST_FLOW_PROBING)) ||
        (flow->signs & BALLAST_FLOW_UNSENT))
        flow->cookie = bpf_get_socket_cookie(skc); /* the daemon follows it */
    bpf_seq_write(seq, flow, sizeof(*flow));
}

SEC("iter/tcp")
int ballast_sweep(struct bpf_iter__tcp* ctx) {
    struct sock_common* skc = ctx->sk_common;
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_sweep_totals* sums = BALLAST_FIRST(sweep_totals);
    if (!skc || !head || !sums)
        return 0;
    switch (skc->skc_state) {
    case TCP_TIME_WAIT:
        ballast_count(&sums->time_wait);
        return 0;
    case TCP_NEW_SYN_RECV:
    case TCP_LISTEN:
        return 0;
    default:
        visit(skc, ctx->meta->seq, head, sums);
        return 0;
    }
}
