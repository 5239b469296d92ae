// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what waits at listening sockets, of all network namespaces at once, in the kernel's own
 * table of them. Attached nowhere: the daemon runs a slice at a time. Takes no lock and holds no
 * socket.
 *
 * Invariants
 * Q1. Memory is read by bpf_probe_read_kernel() alone. Listening sockets stay what they are for as
 *     long as a slice runs (ports.bpf.c, P1). A request may be freed and used again meanwhile, so
 *     the head of a queue counts only where it is the head still after it was read.
 * Q2. A chain whose end is not that of its bucket changed while it was read: `torn`. A listener of
 *     it may be missing from this pass; none is in it twice, by its key.
 */
#include "bpf/abi_listening.h"
#include "bpf/kernel.h"
#include "bpf/lib/address.h"
#include "bpf/table_chains.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* What the ends of its chains are counted from (include/net/inet_hashtables.h). */
#define LISTENING_NULLS_BASE (1u << 29)

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ballast_listening_pass);
} listening_pass SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, BALLAST_MAX_LISTENERS);
    __type(key, __u64);
    __type(value, struct ballast_listening);
} listening SEC(".maps");

/* The row under construction. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ballast_listening);
} listening_row SEC(".maps");

BALLAST_INLINE void read_address(struct ballast_listening* row, const struct sock* sk) {
    union ballast_address* address = (union ballast_address*)row->address;
    if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
        address->words[2] = bpf_htonl(0x0000ffff);
        address->words[3] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
        return;
    }
    BPF_CORE_READ_INTO(address, sk, __sk_common.skc_v6_rcv_saddr);
    row->is_dual =
        !(address->words[0] | address->words[1] | address->words[2] | address->words[3]) &&
        !BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_ipv6only);
}

/* Q1. */
BALLAST_INLINE void read_head(struct ballast_listening* row,
                              const struct inet_connection_sock* listener) {
    struct request_sock* head = BPF_CORE_READ(listener, icsk_accept_queue.rskq_accept_head);
    __u64 answered_us = BPF_CORE_READ((struct tcp_request_sock*)head, snt_synack);
    struct tcp_sock* child = (struct tcp_sock*)BPF_CORE_READ(head, sk);
    __u32 rtt_us = BPF_CORE_READ(child, srtt_us) >> 3; /* the handshake's */
    if (!head || BPF_CORE_READ(listener, icsk_accept_queue.rskq_accept_head) != head)
        return;
    row->head = (__u64)head;
    row->head_us = answered_us ? answered_us + rtt_us : 0;
}

BALLAST_INLINE void read_group(struct ballast_listening* row, const struct sock* sk) {
    struct sock_reuseport* group = BPF_CORE_READ(sk, sk_reuseport_cb);
    if (!group)
        return;
    row->group = (__u64)group;
    row->group_size = BPF_CORE_READ(group, num_socks);
}

static __attribute__((noinline)) int read_listener(const struct sock* sk) {
    struct ballast_listening_pass* pass = BALLAST_FIRST(listening_pass);
    struct ballast_listening* row = BALLAST_FIRST(listening_row);
    if (!pass || !row || !sk)
        return 0;
    const struct inet_connection_sock* listener = (const void*)sk;
    __builtin_memset(row, 0, sizeof(*row));
    row->pass = pass->pass;
    row->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
    row->somaxconn = (__u32)BPF_CORE_READ(sk, __sk_common.skc_net.net, core.sysctl_somaxconn);
    row->port = BPF_CORE_READ(sk, __sk_common.skc_num);
    read_address(row, sk);
    const struct socket_alloc* open = (const void*)BPF_CORE_READ(sk, sk_socket);
    row->inode = (__u32)BPF_CORE_READ(open, vfs_inode.i_ino);
    row->depth = BPF_CORE_READ(sk, sk_ack_backlog);
    row->limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
    row->requests = (__u32)BPF_CORE_READ(listener, icsk_accept_queue.qlen.counter);
    row->drops = (__u32)BPF_CORE_READ(sk, sk_drops.counter);
    read_head(row, listener);
    read_group(row, sk);
    row->cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
    __u64 key = (__u64)sk;
    if (bpf_map_update_elem(&listening, &key, row, BPF_ANY))
        ++pass->full;
    return 0;
}

static long on_listener(__u32 i, struct walk* walk) {
    struct ballast_listening_pass* pass = BALLAST_FIRST(listening_pass);
    if (!pass)
        return 1;
    if (walk->node & 1) {
        pass->torn += walk->node >> 1 != walk->bucket + LISTENING_NULLS_BASE; /* Q2 */
        return 1;
    }
    const struct sock* sk =
        (const void*)(walk->node - bpf_core_field_offset(struct sock_common, skc_nulls_node));
    walk->node = (__u64)BPF_CORE_READ(sk, __sk_common.skc_nulls_node.next);
    if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN) {
        ++pass->torn;
        return 1;
    }
    read_listener(sk);
    return 0;
}

static long on_chain(__u32 unused, struct slice* slice) {
    const __u32 step = bpf_core_type_size(struct inet_listen_hashbucket);
    const __u32 offset = bpf_core_field_offset(struct inet_listen_hashbucket, nulls_head);
    if (!has_chunk(slice, step))
        return 1;
    struct walk walk = {.node = next_chain(slice, step, offset, 1)};
    walk.bucket = slice->next - 1;
    if (walk.node)
        bpf_loop(LONGEST_CHAIN, on_listener, &walk, 0);
    return 0;
}

/* A slice of the table, which all namespaces share, `for_ns` long. */
SEC("raw_tp")
int BPF_PROG(ballast_listening, __u64 for_ns) {
    struct ballast_listening_pass* pass = BALLAST_FIRST(listening_pass);
    if (!pass)
        return 0;
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    struct inet_hashinfo* table = BPF_CORE_READ(task, nsproxy, net_ns, ipv4.tcp_death_row.hashinfo);
    struct slice slice = {.table = (__u64)BPF_CORE_READ(table, lhash2),
                          .buckets = BPF_CORE_READ(table, lhash2_mask) + 1,
                          .next = pass->next,
                          .until_ns = bpf_ktime_get_ns() + for_ns};
    bpf_loop(MOST_CHAINS, on_chain, &slice, 0);
    pass->unreadable += slice.unreadable;
    pass->next = slice.next < slice.buckets ? slice.next : 0;
    return 0;
}
