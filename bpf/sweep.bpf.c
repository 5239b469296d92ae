// SPDX-License-Identifier: GPL-2.0
/*
 * The sweep: visits every TCP socket of one network namespace with the socket locked
 * (net/ipv4/tcp_ipv4.c, bpf_iter_tcp_seq_show()). For each outbound
 * connection that a policy governs it marks the reservation as seen, adopts the socket where it has
 * none, and moves the reservation where the policy now names another service. Emits one record a
 * socket. May meet a socket twice or miss one when a bucket changes under it (fixed in 6.17), so
 * everything it does is idempotent.
 */
#include "bpf/tables.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#define BALLAST_MAX_CGROUP_LEVEL 64

BALLAST_INLINE void read_addresses(const struct sock_common* skc, struct ballast_flow* flow) {
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
    __builtin_memcpy(flow->local_address, local.bytes, 16);
    __builtin_memcpy(flow->remote_address, remote.bytes, 16);
    flow->local_port = skc->skc_num;
    flow->remote_port = bpf_ntohs(skc->skc_dport);
}

/*
 * The kernel does not say who called whom, but an accepted socket keeps the interface its SYN came
 * in by as the one for multicast (net/ipv4/tcp_ipv4.c, tcp_v4_syn_recv_sock(): mc_index;
 * net/ipv6/tcp_ipv6.c: mcast_oif). A socket that connects has 0 there, since stream sockets are not
 * allowed to set it (do_ip_setsockopt(), do_ipv6_setsockopt()).
 */
BALLAST_INLINE bool is_inbound(struct tcp_sock* tp, __u16 family) {
    struct inet_sock* inet = &tp->inet_conn.icsk_inet;
    if (inet->mc_index)
        return true;
    if (family != AF_INET6)
        return false;
    struct ipv6_pinfo* ipv6 = inet->pinet6;
    return ipv6 && ipv6->mcast_oif;
}

/* Whether the socket was made inside the governed subtree. */
BALLAST_INLINE bool is_governed_cgroup(struct tcp_sock* tp, const struct ballast_control* head) {
    if (!head->confined_cgroup)
        return true;
    /* Read as a number: the verifier allows no variable offset on a typed pointer. */
    struct sock* sk = &tp->inet_conn.icsk_inet.sk;
    struct cgroup* cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
    int level = (int)head->confined_level;
    if (!cgroup || level >= BALLAST_MAX_CGROUP_LEVEL || BPF_CORE_READ(cgroup, level) < level)
        return false;
    struct cgroup* ancestor = NULL;
    bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
                          (void*)cgroup + bpf_core_field_offset(struct cgroup, ancestors) +
                              (__u64)level * sizeof(ancestor));
    return ancestor && BPF_CORE_READ(ancestor, kn, id) == head->confined_cgroup;
}

BALLAST_INLINE void mark_seen(const struct ballast_place* place, __u32 sweep) {
    __u32 bucket = place->bucket;
    struct ballast_bucket_seen* marks = bpf_map_lookup_elem(&seen, &bucket);
    if (marks && place->slot < BALLAST_BUCKET_WIDTH)
        marks->sweep[place->slot] = sweep;
}

BALLAST_INLINE bool adopt(__u64 cookie, const struct ballast_flow* flow, __u16 service,
                          __u32 sweep) {
    union ballast_address address;
    __builtin_memcpy(address.bytes, flow->remote_address, 16);
    __s64 found = ballast_destination_of(service, &address, flow->remote_port);
    if (found < 0)
        return false;
    __u32 index = (__u32)found;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination || ballast_take(&destination->in_use, BALLAST_RETIRED - 1) != BALLAST_TAKEN)
        return false;
    if (!ballast_insert_reservation(cookie, index, flow->netns)) {
        ballast_give_back_place(index);
        return false;
    }
    ballast_count(&destination->adopted);
    destination->last_use_ns = bpf_ktime_get_ns();
    struct ballast_place place = ballast_find_reservation(cookie);
    if (place.entry)
        mark_seen(&place, sweep);
    return true;
}

/* The service of the policy in force for the destination the socket asked for when it connected,
 * which another program may have rewritten since. */
BALLAST_INLINE bool is_current(const struct ballast_place* place) {
    __u32 index = BALLAST_LOAD(place->entry->destination) & ~BALLAST_PENDING;
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return false;
    union ballast_address address;
    __builtin_memcpy(address.bytes, destination->address, 16);
    const struct ballast_limit* limit = ballast_find_limit(&address, destination->port);
    return limit && limit->service == destination->service;
}

/* The socket's reservation if it is still the right one; one that is not, is released. */
BALLAST_INLINE bool keep_reservation(const struct ballast_place* place, __u64 cookie, __u32 sweep,
                                     struct ballast_sweep_totals* totals) {
    if (!place->entry)
        return false;
    if (is_current(place)) {
        mark_seen(place, sweep);
        ballast_entry_confirm(place->entry); /* where SYN_SENT went unseen */
        return true;
    }
    ballast_release(cookie);
    ballast_count(&totals->moved);
    return false;
}

BALLAST_INLINE void account(struct sock_common* skc, struct ballast_flow* flow,
                            const struct ballast_place* place, __u32 sweep,
                            struct ballast_sweep_totals* totals) {
    if (keep_reservation(place, flow->cookie, sweep, totals)) {
        flow->flags |= BALLAST_FLOW_RESERVED;
        return;
    }
    if (!flow->service)
        return;
    flow->cookie = bpf_get_socket_cookie(skc);
    if (adopt(flow->cookie, flow, flow->service, sweep)) {
        flow->flags |= BALLAST_FLOW_RESERVED | BALLAST_FLOW_ADOPTED;
        ballast_count(&totals->adopted);
    } else {
        flow->flags |= BALLAST_FLOW_UNTRACKED;
        ballast_count(&totals->untracked);
    }
}

BALLAST_INLINE void measure(struct tcp_sock* tp, struct ballast_flow* flow) {
    flow->rtt_us = tp->srtt_us >> 3;
    flow->idle_jiffies = (__u32)bpf_jiffies64() - tp->rcv_tstamp;
    flow->retransmits = tp->inet_conn.icsk_retransmits;
}

BALLAST_INLINE void visit(struct sock_common* skc, struct seq_file* seq, __u32 sweep,
                          const struct ballast_control* head, struct ballast_sweep_totals* totals) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(skc);
    if (!tp)
        return;
    struct ballast_flow flow = {};
    flow.state = skc->skc_state;
    flow.netns = skc->skc_net.net->ns.inum;
    flow.cookie = (__u64)skc->skc_cookie.counter;
    read_addresses(skc, &flow);
    measure(tp, &flow);
    struct ballast_place place = {};
    if (flow.cookie)
        place = ballast_find_reservation(flow.cookie);
    if (!place.entry && is_inbound(tp, skc->skc_family)) {
        flow.flags |= BALLAST_FLOW_INBOUND;
    } else if (flow.state != TCP_CLOSE && is_governed_cgroup(tp, head)) {
        union ballast_address address;
        __builtin_memcpy(address.bytes, flow.remote_address, 16);
        const struct ballast_limit* limit = ballast_find_limit(&address, flow.remote_port);
        flow.service = limit ? limit->service : 0;
        account(skc, &flow, &place, sweep, totals);
    }
    ballast_count(&totals->sockets);
    bpf_seq_write(seq, &flow, sizeof(flow));
}

SEC("iter/tcp")
int ballast_sweep(struct bpf_iter__tcp* ctx) {
    struct sock_common* skc = ctx->sk_common;
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_sweep_totals* totals = BALLAST_FIRST(sweep_totals);
    if (!skc || !head || !totals)
        return 0;
    switch (skc->skc_state) {
    case TCP_TIME_WAIT:
        ballast_count(&totals->time_wait);
        return 0;
    case TCP_NEW_SYN_RECV:
    case TCP_LISTEN:
        return 0;
    default:
        visit(skc, ctx->meta->seq, head->sweep, head, totals);
        return 0;
    }
}
