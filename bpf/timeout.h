/* SPDX-License-Identifier: GPL-2.0 */
/*
 * connect_timeout: TCP_USER_TIMEOUT bounds a connect() to the millisecond (net/ipv4/tcp_timer.c,
 * tcp_write_timeout() and tcp_clamp_rto_to_user_timeout(); from the first retransmission on, which
 * is after one second), but holds for the connection's data as well. So it is set for as long as
 * the connection is being established, and what the application had is put back then.
 *
 * Invariants
 * T1  Only ever tightened, and only put back where it is still what Ballast had set. With a user
 *     timeout the kernel no longer goes by TCP_SYNCNT or tcp_syn_retries as a time, so there is
 *     none where these end the connect() sooner (lib/connect_time.h).
 * T2  Set only while `tune`, which puts it back, is attached.
 * T3  What the application had is kept with the socket, not with its reservation, which another
 *     policy may give back at any time. That costs an allocation, which only services with a
 *     connect_timeout pay.
 */
#ifndef BALLAST_BPF_TIMEOUT_H
#define BALLAST_BPF_TIMEOUT_H

#include "bpf/lib/connect_time.h"
#include "bpf/tables.h"

#include <bpf/bpf_core_read.h>

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

/* How long the connect() may take as things are. */
BALLAST_INLINE __u32 ballast_connect_time_of(struct bpf_sock* sk, __u32 hz) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!tp)
        return 0;
    struct inet_connection_sock* icsk = &tp->inet_conn;
    if (icsk->icsk_user_timeout)
        return icsk->icsk_user_timeout;
    struct net* net = icsk->icsk_inet.sk.__sk_common.skc_net.net;
    __u32 retries =
        icsk->icsk_syn_retries ? icsk->icsk_syn_retries : net->ipv4.sysctl_tcp_syn_retries;
    __u32 rto_max = BALLAST_RTO_MAX_MS;
    if (bpf_core_field_exists(icsk->icsk_rto_max) && icsk->icsk_rto_max)
        rto_max = (__u32)((__u64)icsk->icsk_rto_max * 1000 / (hz ? hz : 1));
    return ballast_syn_time_ms(retries, rto_max);
}

/* Bounds the connect() that is being made to `ms`, if it is not bounded as much. hz: jiffies a
 * second. */
BALLAST_INLINE void ballast_bound_connect(void* ctx, struct bpf_sock* sk, __u32 ms, __u32 hz) {
    __u32 own = ballast_user_timeout_of(sk);
    if (ballast_connect_time_of(sk, hz) <= ms)
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
