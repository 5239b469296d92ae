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
#include "bpf/tables.h"

#include <bpf/bpf_tracing.h>

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ballast_set_state, struct sock* sk, int old_state, int new_state) {
    if (new_state != TCP_CLOSE && new_state != TCP_SYN_SENT)
        return 0;
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    if (!cookie)
        return 0;
    if (new_state == TCP_CLOSE) {
        ballast_release(cookie);
        return 0;
    }
    struct ballast_place place = ballast_find_reservation(cookie);
    if (place.entry)
        ballast_entry_confirm(place.entry);
    return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(ballast_destroy, struct sock* sk) {
    __u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;
    if (cookie)
        ballast_release(cookie);
    return 0;
}
