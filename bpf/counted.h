/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which of the sockets to a governed destination are connections of their own to it. Two kinds are
 * not, and take no place:
 *
 * - Further subflows of an MPTCP connection. The connection counts once, by its first subflow;
 * where that one has ended, a sweep counts those that are left.
 * - Connections that netfilter sends to a process of this host instead (a transparent proxy): the
 *   one that counts is the proxy's to the destination. Known once the connection is there; asked
 *   only after a sweep met the first, since few hosts have such a proxy.
 */
#ifndef BALLAST_BPF_COUNTED_H
#define BALLAST_BPF_COUNTED_H

#include "bpf/socket.h"

#define BALLAST_LOOPBACK 1 /* include/net/flow.h, LOOPBACK_IFINDEX: in every namespace */

/* The first subflow of the connection that the socket, a further one, belongs to; 0: it is none. */
BALLAST_INLINE __u64 ballast_joins(const struct tcp_sock* tp) {
    if (!ballast_is_subflow(tp))
        return 0;
    struct mptcp_subflow_context* context =
        (struct mptcp_subflow_context*)tp->inet_conn.icsk_ulp_data;
    struct mptcp_sock* connection = (struct mptcp_sock*)BPF_CORE_READ(context, conn);
    __u64 first = (__u64)BPF_CORE_READ(connection, first);
    return first == (__u64)tp ? 0 : first;
}

/* Whether the connection goes out by a device though its packets come in by the loopback: this
 * host answers it. One to an address of this host goes out by the loopback too. */
BALLAST_INLINE bool ballast_comes_back(const struct tcp_sock* tp, int in) {
    const struct sock* sk = &tp->inet_conn.icsk_inet.sk;
    if (in != BALLAST_LOOPBACK)
        return false;
    int out = BPF_CORE_READ(sk, sk_dst_cache, dev, ifindex);
    return out && out != BALLAST_LOOPBACK;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sk_buff___received {
    int skb_iif;
};
struct bpf_sock_ops_kern {
    struct sk_buff___received* skb;
};
#pragma clang attribute pop

/* For sockops, as the connection is established; marks the socket, which itself need not know yet
 * by which device it receives: while connect() holds it, its packets wait without their route
 * (net/ipv4/tcp_ipv4.c, tcp_add_backlog()). */
BALLAST_INLINE bool ballast_mark_redirected(struct bpf_sock_ops* ctx, struct bpf_sock* sk,
                                            const struct tcp_sock* tp) {
    const struct bpf_sock_ops_kern* kernel = (const struct bpf_sock_ops_kern*)ctx;
    if (!ballast_comes_back(tp, BPF_CORE_READ(kernel, skb, skb_iif)))
        return false;
    (void)bpf_sk_storage_get(&redirected, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    return true;
}

/* For a sweep. */
BALLAST_INLINE bool ballast_is_redirected(void* sk, const struct tcp_sock* tp) {
    return bpf_sk_storage_get(&redirected, sk, NULL, 0) ||
           ballast_comes_back(tp, tp->inet_conn.icsk_inet.sk.sk_rx_dst_ifindex);
}

/* Whether the socket is the connection's only one, or stands for the others. */
BALLAST_INLINE bool ballast_is_counted(const struct tcp_sock* tp) {
    struct sock* first = (struct sock*)ballast_joins(tp);
    return !first || BPF_CORE_READ(first, __sk_common.skc_state) == TCP_CLOSE;
}

#endif
