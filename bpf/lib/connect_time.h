/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* How long the kernel tries to connect. */
#ifndef BALLAST_BPF_LIB_CONNECT_TIME_H
#define BALLAST_BPF_LIB_CONNECT_TIME_H

#include "bpf/lib/atomic.h"

#include <linux/types.h>

#define BALLAST_RTO_MAX_MS 120000u /* include/net/tcp.h: TCP_RTO_MAX */

/*
 * Until a connect() without a user timeout fails, as net/ipv4/tcp_timer.c, retransmits_timed_out()
 * and tcp_model_timeout(), have it: from a second on, doubling up to the longest RTO. The kernel
 * also counts the SYNs, up to tcp_syn_linear_timeouts more (Linux 6.5), which takes no less.
 */
BALLAST_INLINE __u32 ballast_syn_time_ms(__u32 retries, __u32 rto_max_ms) {
    __u32 time = 1000, rto = 1000;
#pragma GCC unroll 8
    for (__u32 i = 0; i < 8; i++) {
        if (!retries || rto >= rto_max_ms || rto * 2 > rto_max_ms)
            break;
        rto *= 2;
        time += rto;
        retries--;
    }
    return time + (retries < 256 ? retries : 255) * rto_max_ms;
}

#endif
