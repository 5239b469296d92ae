// SPDX-License-Identifier: GPL-2.0
/*
 * The sweep of all network namespaces at once, by the files that processes have open: each that is
 * a TCP socket is accounted for as in account.h, so that the cost depends on the number of
 * sockets, not of namespaces. Emits one record a file; the daemon passes over those of a
 * socket that it has had (a fork's, a dup()'s), for which each gets a cookie. Listeners are emitted
 * to be counted. One in CLOSE is no connection, and so not seen: a reservation that it may hold is
 * pending, or was left behind and is found by the ledger.
 *
 * Sockets that no process has open are not met: orphans, those not accepted yet, those on their way
 * between processes, and the kernel's own. Absence proves nothing here, so the daemon visits the
 * namespaces of reservations that were not met by sweep.bpf.c. TIME_WAIT is not met either.
 *
 * The file is held while the program runs, so the socket is there, but it is NOT locked:
 * - What is read may change meanwhile, and fields may not fit each other. Counters and times are
 *   shown, or lead to a closer check by other means. Addresses stay from
 * before SYN_SENT until CLOSE (net/ipv4/tcp_ipv4.c, tcp_v4_connect(); tcp.c, tcp_disconnect()).
 * - An adoption may cross the socket's end, whose tracepoint then finds nothing to release. The
 * state is therefore checked again; in the few instructions between tracepoint and state a
 * reservation may still be left, until the socket is destroyed (lifecycle.bpf.c), which cannot be
 * before the file is released here.
 * - An adoption may cross a disconnect and a second connect() of the same socket: it has two
 * entries then, of which CLOSE releases one and the destruction the other. Both leave the limit
 * tighter by one for a moment, never looser.
 * - Options cannot be set (this iterator has no bpf_setsockopt()): where keepalive is
 *   not what it should be, `retune` says so.
 */
#include "bpf/account.h"

#include <bpf/bpf_tracing.h>

#define SOCK_STREAM 1 /* include/linux/net.h */

/* Whether its keepalive is what the policy wishes where it may be done, or what the application had
 * where not. */
static __attribute__((noinline)) int look_at_keepalive(struct sock_common* skc,
                                                       struct ballast_flow* flow) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(skc);
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!tp || !head || !flow || !ballast_may_keep_alive(skc))
        return 0;
    struct ballast_keepalive_wish wish = {};
    struct ballast_keepalive_look look = {};
    int mode = ballast_wish_for(flow, &wish);
    ballast_plan_keepalive(skc, tp, BALLAST_LOAD(head->ticks_per_second), &wish,
                           mode == BALLAST_MODE_ENFORCE, &look);
    flow->retune = !ballast_same_options(look.force, look.now.value);
    bool ours = !ballast_same_options(look.now.value, look.own.value);
    ballast_show_keepalive(flow, look.now.value, ballast_keepalive_setter(&look.own, ours));
    if (!ours)
        flow->keepalive.lack = ballast_lack_of(&look, &wish, mode);
    return 0;
}

BALLAST_INLINE void take_back_if_closed(const struct sock_common* skc, struct ballast_flow* flow) {
    if (!(flow->flags & BALLAST_FLOW_ADOPTED) || skc->skc_state != TCP_CLOSE)
        return;
    ballast_sweep_release(flow->cookie);
    flow->flags &= ~(BALLAST_FLOW_RESERVED | BALLAST_FLOW_ADOPTED);
}

BALLAST_INLINE void visit(struct sock_common* skc, struct tcp_sock* tp, struct seq_file* seq) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_sweep_totals* sums = BALLAST_FIRST(sweep_totals);
    struct ballast_flow* flow = ballast_describe(skc, tp, bpf_get_socket_cookie(skc));
    if (!head || !sums || !flow || flow->state == TCP_CLOSE)
        return;
    if (flow->state != TCP_LISTEN) {
        ballast_account(skc, tp, flow, head, sums);
        take_back_if_closed(skc, flow);
        look_at_keepalive(skc, flow);
        if ((flow->flags & BALLAST_FLOW_RESERVED) && BALLAST_LOAD(head->can_watch) &&
            !ballast_is_watched(tp, head)) {
            head->unwatched = head->sweep;
            flow->retune = 1;
        }
    }
    bpf_seq_write(seq, flow, sizeof(*flow));
}

SEC("iter/task_file")
int ballast_sweep_files(struct bpf_iter__task_file* ctx) {
    struct file* file = ctx->file;
    struct socket* socket = file ? bpf_sock_from_file(file) : NULL;
    /* The type, because a raw socket of protocol TCP passes for a TCP socket on some kernels. */
    struct sock* sk = socket && socket->type == SOCK_STREAM ? socket->sk : NULL;
    struct tcp_sock* tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
    if (tp && sk->__sk_common.skc_state != TCP_CLOSE)
        visit(&sk->__sk_common, tp, ctx->meta->seq);
    return 0;
}
