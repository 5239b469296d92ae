/* SPDX-License-Identifier: GPL-2.0 */
/*
 * connect_timeout: TCP_USER_TIMEOUT bounds a connect() to the millisecond (net/ipv4/tcp_timer.c,
 * tcp_write_timeout() and tcp_clamp_rto_to_user_timeout(); from the first retransmission on, which
 * is after one second), but holds for the connection's data as well. So it is set for as long as
 * the connection is being established, and what the application had is put back then.
 *
 * Invariants
 * T1  Only ever tightened, and only put back where it is still what Ballast had set.
 * T2  Set only while `tune`, which puts it back, is attached.
 * T3  What the application had is kept with the socket, not with its reservation, which another
 *     policy may give back at any time. That costs an allocation, which only services with a
 *     connect_timeout pay.
 */
#ifndef BALLAST_BPF_TIMEOUT_H
#define BALLAST_BPF_TIMEOUT_H

#include "bpf/tables.h"

#include <linux/in.h>
#include <linux/tcp.h>

BALLAST_INLINE __u32 ballast_user_timeout_of(struct bpf_sock* sk) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    return tp ? tp->inet_conn.icsk_user_timeout : 0;
}

BALLAST_INLINE bool ballast_set_user_timeout(void* ctx, __u32 ms) {
    int value = (int)ms;
    if (!bpf_setsockopt(ctx, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof(value)))
        return true;
    BALLAST_COUNT_EVENT(timeouts_failed);
    return false;
}

/* Puts back what the application had. ctx: of a program that may set options of `sk`. */
BALLAST_INLINE void ballast_restore_timeout(void* ctx, struct bpf_sock* sk) {
    struct ballast_user_timeout* kept = bpf_sk_storage_get(&user_timeouts, sk, NULL, 0);
    if (!kept || !kept->set_ms)
        return;
    if (ballast_user_timeout_of(sk) == kept->set_ms)
        ballast_set_user_timeout(ctx, kept->own_ms);
    kept->set_ms = 0;
}

/* Bounds the connect() that is being made to `ms`. */
BALLAST_INLINE void ballast_bound_connect(void* ctx, struct bpf_sock* sk, __u32 ms) {
    __u32 own = ballast_user_timeout_of(sk);
    if (own && own <= ms)
        return;
    struct ballast_user_timeout* kept =
        bpf_sk_storage_get(&user_timeouts, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (!kept) {
        BALLAST_COUNT_EVENT(timeouts_failed);
        return;
    }
    kept->own_ms = own;
    if (ballast_set_user_timeout(ctx, ms))
        kept->set_ms = ms;
}

#endif
