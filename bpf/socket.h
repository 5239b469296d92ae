/* SPDX-License-Identifier: GPL-2.0 */
/* Reads of a TCP socket that more than one family of programs needs. */
#ifndef BALLAST_BPF_SOCKET_H
#define BALLAST_BPF_SOCKET_H

#include "bpf/consumer.h"

#include <bpf/bpf_core_read.h>

/* Both as in abi.h: 16 bytes, IPv4 as ::ffff:a.b.c.d. */
BALLAST_INLINE void ballast_read_addresses(const struct sock_common* skc, __u8* local_bytes,
                                           __u8* remote_bytes) {
    union ballast_address local, remote;
    if (skc->skc_family == AF_INET6) {
        __u32 words[4];
        for (int i = 0; i < 4; i++)
            words[i] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
        ballast_address_v6(&local, words);
        for (int i = 0; i < 4; i++)
            words[i] = skc->skc_v6_daddr.in6_u.u6_addr32[i];
        ballast_address_v6(&remote, words);
    } else {
        ballast_address_v4(&local, skc->skc_rcv_saddr);
        ballast_address_v4(&remote, skc->skc_daddr);
    }
    __builtin_memcpy(local_bytes, local.bytes, 16);
    __builtin_memcpy(remote_bytes, remote.bytes, 16);
}

/*
 * The kernel does not say who called whom, but an accepted socket keeps the interface its SYN came
 * in by as the one for multicast (net/ipv4/tcp_ipv4.c, tcp_v4_syn_recv_sock(): mc_index;
 * net/ipv6/tcp_ipv6.c: mcast_oif). A socket that connects has 0 there, since stream sockets are not
 * allowed to set it (do_ip_setsockopt(), do_ipv6_setsockopt()).
 */
BALLAST_INLINE bool ballast_is_inbound(struct tcp_sock* tp, __u16 family) {
    struct inet_sock* inet = &tp->inet_conn.icsk_inet;
    if (inet->mc_index)
        return true;
    if (family != AF_INET6)
        return false;
    struct ipv6_pinfo* ipv6 = inet->pinet6;
    return ipv6 && ipv6->mcast_oif;
}

/* Whether it is a subflow of an MPTCP connection. */
BALLAST_INLINE bool ballast_is_subflow(const struct tcp_sock* tp) {
    return bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp;
}

/* The cgroup that made the socket, or its listener; read as a number: the verifier allows no
 * variable offset on a typed pointer. */
BALLAST_INLINE __u64 ballast_cgroup_of_socket(struct tcp_sock* tp) {
    struct sock* sk = &tp->inet_conn.icsk_inet.sk;
    return (__u64)BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
}

/* Whether a cgroup is inside the governed subtree. */
BALLAST_INLINE bool ballast_is_governed_cgroup(__u64 address, const struct ballast_control* head) {
    struct cgroup* cgroup = (struct cgroup*)address;
    if (!head->confined_cgroup)
        return true;
    int level = (int)head->confined_level;
    if (!cgroup || level >= BALLAST_MAX_CGROUP_LEVEL || BPF_CORE_READ(cgroup, level) < level)
        return false;
    struct cgroup* ancestor = ballast_ancestor(address, (__u32)level);
    return ancestor && BPF_CORE_READ(ancestor, kn, id) == head->confined_cgroup;
}

#endif
