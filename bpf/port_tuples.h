/* SPDX-License-Identifier: GPL-2.0 */
/* What a socket counts as in its tuple. */
#ifndef BALLAST_BPF_PORT_TUPLES_H
#define BALLAST_BPF_PORT_TUPLES_H

#include "bpf/lib/address.h"
#include "bpf/lib/loop.h"
#include "bpf/port_spaces.h"

#include <bpf/bpf_endian.h>

/* As the socket has it, unlike what connect() was asked for: 0.0.0.0 stays that. */
BALLAST_INLINE void address_of(__u8 to[16], __u16 family, __u32 v4,
                               const struct kernel_in6_addr* v6) {
    union ballast_address* address = (union ballast_address*)to;
    if (family != AF_INET) {
        __builtin_memcpy(address, v6, sizeof(*address));
        return;
    }
    address->words[0] = 0;
    address->words[1] = 0;
    address->words[2] = bpf_htonl(0x0000ffff);
    address->words[3] = v4;
}

/* Whether the tuple is to have a row, by what its cell held in the last pass, or holds by now. */
BALLAST_INLINE bool is_large(const struct ballast_tuple_key* key,
                             const struct ballast_port_pass* pass, bool* is_partial) {
    *is_partial = false;
    if (pass->least <= 1)
        return true;
    __u32 now = (pass->pass & 1) * BALLAST_TUPLE_CELLS + ballast_tuple_cell_of(key);
    __u32 before = now ^ BALLAST_TUPLE_CELLS;
    struct ballast_tuple_cell* cell = bpf_map_lookup_elem(&tuple_cells, &now);
    const struct ballast_tuple_cell* last = bpf_map_lookup_elem(&tuple_cells, &before);
    if (!cell || !last)
        return true;
    if (cell->pass != pass->pass) {
        cell->pass = pass->pass;
        cell->sockets = 0;
    }
    ++cell->sockets;
    if (last->pass == pass->pass - 1 && last->sockets >= pass->least)
        return true;
    *is_partial = true;
    return cell->sockets >= pass->least;
}

BALLAST_INLINE struct ballast_tuple* tuple_of(const struct ballast_tuple_key* key,
                                              struct ballast_port_pass* pass, struct scratch* at) {
    bool is_partial;
    if (!is_large(key, pass, &is_partial)) {
        ++pass->left_out;
        return NULL;
    }
    struct ballast_tuple* tuple = bpf_map_lookup_elem(&tuples, key);
    if (tuple && tuple->pass == pass->pass)
        return tuple;
    __builtin_memset(&at->tuple, 0, sizeof(at->tuple));
    at->tuple.pass = pass->pass;
    at->tuple.next_end = ~0u;
    at->tuple.is_partial = is_partial;
    if (bpf_map_update_elem(&tuples, key, &at->tuple, BPF_ANY)) {
        ++pass->full;
        return NULL;
    }
    return bpf_map_lookup_elem(&tuples, key);
}

/* Jiffies that the kernel keeps a mini-socket for (include/net/tcp.h, TCP_TIMEWAIT_LEN). One in
 * FIN_WAIT2 may have been given less. */
#define MINI_SECONDS 60

BALLAST_INLINE void count_mini(struct ballast_tuple* tuple, const struct inet_timewait_sock* mini,
                               const struct ballast_port_pass* pass) {
    __u64 now = bpf_jiffies64();
    __u64 ends = BPF_CORE_READ(mini, tw_timer.expires);
    __u64 left = ends > now ? ends - now : 0;
    if (BPF_CORE_READ(mini, tw_substate) == TCP_FIN_WAIT2)
        ++tuple->fin_wait2;
    else if (++tuple->time_wait &&
             BPF_CORE_READ((const struct tcp_timewait_sock*)mini, tw_ts_recent_stamp))
        ++tuple->reusable;
    if (ends > pass->since + MINI_SECONDS * pass->ticks_per_second)
        ++tuple->ended;
    if (left < tuple->next_end)
        tuple->next_end = (__u32)left;
    __u32 slot = ballast_end_slot(left, pass->ticks_per_second);
    if (slot < BALLAST_ENDS)
        ++tuple->ends[slot];
}

/* Who has most of them: the majority vote of Boyer and Moore (1981). */
BALLAST_INLINE void vote(struct ballast_majority* majority, const struct sock* sk) {
    struct cgroup* cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
    if (!majority->votes && majority->leader != (__u64)cgroup) {
        majority->leader = (__u64)cgroup;
        majority->consumer = BPF_CORE_READ(cgroup, kn, id);
    }
    if (majority->leader == (__u64)cgroup)
        ++majority->votes;
    else
        --majority->votes;
}

/* Of a socket proper. Accepted ones keep an interface there (bpf/socket.h, ballast_is_inbound()).
 */
BALLAST_INLINE bool is_inbound(const struct inet_sock* inet, __u16 family) {
    return BPF_CORE_READ(inet, mc_index) ||
           (family == AF_INET6 && BPF_CORE_READ(inet, pinet6, mcast_oif));
}

/* It connects from a port that connect() would not have chosen, so its program bound that; with
 * port 0 in bind() nothing else of the socket says so. */
static __attribute__((noinline)) int count_binder(const struct sock* sk, struct net* net,
                                                  __u16 family) {
    __u64 key = (__u64)net;
    struct ballast_port_space* space = bpf_map_lookup_elem(&port_spaces, &key);
    if (!space || is_inbound((const struct inet_sock*)sk, family))
        return 0;
    ++space->bound;
    vote(&space->binders, sk);
    return 0;
}

BALLAST_INLINE void count_state(struct ballast_tuple* tuple, const struct sock* sk, __u8 state) {
    switch (state) {
    case TCP_NEW_SYN_RECV:
        return; /* a request, which nobody owns yet */
    case TCP_SYN_SENT:
        ++tuple->connecting;
        break;
    case TCP_ESTABLISHED:
    case TCP_SYN_RECV:
        ++tuple->established;
        break;
    case TCP_CLOSE_WAIT:
        ++tuple->close_wait;
        break;
    default:
        ++tuple->closing;
        break;
    }
    vote(&tuple->consumers, sk);
}

/* Whether connect() would choose the port if it were free. */
BALLAST_INLINE bool is_chosen(struct scratch* at, struct net* net, __u32 port,
                              const struct ballast_port_pass* pass) {
    if (!at->has_unchosen)
        return true;
    if (is_reserved(net, port))
        return false;
    at->port.space = (__u64)net;
    at->port.port = port;
    const __u32* found = bpf_map_lookup_elem(&poisoned_ports, &at->port);
    return !found || *found != pass->pass;
}

/* Notes the socket proper as the holder of its port, where a program has asked for that. */
static __attribute__((noinline)) int
note_holder(const struct sock* sk, const struct ballast_tuple_key* tuple, __u64 space) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    struct ballast_port_key key = {.space = space, .port = BPF_CORE_READ(sk, __sk_common.skc_num)};
    struct ballast_wanted* wanted = bpf_map_lookup_elem(&wanted_ports, &key);
    if (!pass || !wanted || !tuple || wanted->pass != pass->pass)
        return 0;
    wanted->holder = *tuple;
    wanted->holder_cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
    return 0;
}

BALLAST_INLINE bool is_self_connected(const struct ballast_tuple_key* key, __u16 port) {
    const __u64* source = (const __u64*)key->source;
    const __u64* remote = (const __u64*)key->remote;
    return key->remote_port == port && source[0] == remote[0] && source[1] == remote[1];
}

/* The socket that was read, whose port is in the range. */
BALLAST_STEP int ballast_count_in_tuple(__u64 sk) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    struct scratch* at = BALLAST_FIRST(scratches);
    if (!pass || !at)
        return 0;
    const struct sock_common* skc = (const void*)at->socket;
    struct ballast_tuple_key key = {.netns = at->netns, .remote_port = bpf_ntohs(skc->skc_dport)};
    address_of(key.source, skc->skc_family, skc->skc_rcv_saddr, &skc->skc_v6_rcv_saddr);
    address_of(key.remote, skc->skc_family, skc->skc_daddr, &skc->skc_v6_daddr);
    const bool is_proper = skc->skc_state != TCP_TIME_WAIT && skc->skc_state != TCP_NEW_SYN_RECV;
    if (pass->held && is_proper)
        note_holder((const void*)sk, &key, (__u64)skc->skc_net.net);
    struct ballast_tuple* tuple = tuple_of(&key, pass, at);
    if (!tuple)
        return 0;
    const bool is_bound = !is_chosen(at, skc->skc_net.net, skc->skc_num, pass);
    if (is_bound)
        ++tuple->unchosen;
    else
        ++tuple->used[skc->skc_num & 1];
    if (skc->skc_state == TCP_TIME_WAIT) {
        count_mini(tuple, (const void*)sk, pass);
        return 0;
    }
    if (is_self_connected(&key, skc->skc_num))
        ++tuple->self_connected;
    if (is_bound && is_proper)
        count_binder((const void*)sk, skc->skc_net.net, skc->skc_family);
    count_state(tuple, (const void*)sk, skc->skc_state);
    return 0;
}

#endif
