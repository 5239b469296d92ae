/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watched sockets: those whose changes of state the kernel reports to sockops (`state` in
 * lifecycle.bpf.c), which it never leaves out, unlike a tracing program that is already running on
 * the same CPU (kernel/trace/bpf_trace.c, __bpf_trace_run()).
 *
 * `state` has a socket watched as its SYN is sent, admission where that may be long after; one that
 * does not come so far holds its place until it is closed, used again or reclaimed. A sweep of
 * sockets has those watched that were adopted (TCP_BPF_SOCK_OPS_CB_FLAGS, Linux 6.12); older
 * kernels cannot. The tracing programs `set_state` and `destroy` are attached too while some
 * counted socket is not watched: on those kernels always, after a new policy until sweeps have met
 * all that it counts, and where another program's sockops replaces a socket's flags
 * (bpf_sock_ops_cb_flags_set() sets all of them).
 */
#ifndef BALLAST_BPF_WATCH_H
#define BALLAST_BPF_WATCH_H

#include "bpf/tables.h"

#include <linux/in.h>

/* include/uapi/linux/bpf.h; not in headers before Linux 6.12. */
#define BALLAST_TCP_BPF_SOCK_OPS_CB_FLAGS 1008

/* Whether `state` sees the socket's changes. Another program may watch it too, or have replaced
 * our flag by its own: then the tracepoint does. */
BALLAST_INLINE bool ballast_is_watched(const struct tcp_sock* tp,
                                       const struct ballast_control* head) {
    return (tp->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG) &&
           BALLAST_LOAD(head->watches_states);
}

/* Whether another program has replaced the socket's flags by its own. */
BALLAST_INLINE bool ballast_is_watch_lost(const struct tcp_sock* tp) {
    __u8 flags = tp->bpf_sock_ops_cb_flags;
    return flags && !(flags & BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* Has the socket watched. ctx: of a program that may set its options, or the socket itself. */
BALLAST_INLINE void ballast_watch(void* ctx, const struct tcp_sock* tp,
                                  const struct ballast_control* head) {
    __u8 flags = tp->bpf_sock_ops_cb_flags;
    if ((flags & BPF_SOCK_OPS_STATE_CB_FLAG) || !BALLAST_LOAD(head->can_watch))
        return;
    int wanted = flags | BPF_SOCK_OPS_STATE_CB_FLAG;
    (void)bpf_setsockopt(ctx, IPPROTO_TCP, BALLAST_TCP_BPF_SOCK_OPS_CB_FLAGS, &wanted,
                         sizeof(wanted));
}

#endif
