// SPDX-License-Identifier: GPL-2.0
/*
 * Counts local ports, of all network namespaces at once, in the kernel's own hash tables: who has
 * bound one (the bind table, ballast_bound_ports) and which connections use them (the established
 * table, ballast_connected_ports). Attached nowhere: the daemon runs a slice at a time. Takes no
 * lock and holds no socket, so that no socket can hold it, and costs what there are sockets,
 * whatever the number of namespaces.
 *
 * Invariants
 * P1. Memory is read by bpf_probe_read_kernel() alone, so that what was freed meanwhile is at worst
 *     read wrongly. Sockets, mini-sockets and request sockets stay what they are for as long as a
 *     slice runs: their caches are SLAB_TYPESAFE_BY_RCU (net/ipv4/tcp_ipv4.c, tcp_prot), and a run
 *     of a raw tracepoint program is an RCU reader (net/bpf/test_run.c). Those of the bind table
 *     may be given to another use, so each is checked for being in the bucket that it is found in.
 * P2. A chain whose end is not that of its bucket changed while it was read: `torn`. Its sockets
 *     are counted once, twice or not at all; the daemon passes once more.
 * P3. connect() chooses a port that is in the range, not reserved, in no bind bucket whose sockets
 *     were bound explicitly (fastreuse or fastreuseport >= 0), and not used by the tuple
 *     (net/ipv4/inet_hashtables.c, __inet_hash_connect()). It prefers the parity of `low`, hence
 *     all counts by parity.
 */
#include "bpf/lib/ports.h"
#include "bpf/port_spaces.h"
#include "bpf/port_tuples.h"
#include "bpf/table_chains.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* More than any table has: what is read of a namespace that is going may be anything. */
#define MOST_BUCKETS (1u << 26)

/* How far the range could be made larger. */
BALLAST_INLINE void note_neighbour(struct ballast_port_space* space, __u16 port) {
    if (port < space->low && port > space->bound_below)
        space->bound_below = port;
    if (port > space->high && (!space->bound_above || port < space->bound_above))
        space->bound_above = port;
}

static __attribute__((noinline)) int poison(struct net* net, __u32 port) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    struct ballast_port_space* space = pass ? space_of(net, pass) : NULL;
    if (!space)
        return 0;
    if (!is_in_range(space, port)) {
        note_neighbour(space, (__u16)port);
        return 0;
    }
    if (is_reserved(net, port))
        return 0;
    struct ballast_port_key key = {.space = (__u64)net, .port = port};
    __u32 number = pass->pass;
    if (bpf_map_update_elem(&poisoned_ports, &key, &number, BPF_ANY)) {
        ++pass->full;
        return 0;
    }
    ++space->poisoned[port & 1];
    return 0;
}

/* Nobody bound it, so connections have it that connect() chose it for. */
BALLAST_INLINE void note_chosen(struct ballast_port_pass* pass, struct net* net, __u32 port) {
    struct ballast_port_key key = {.space = (__u64)net, .port = port};
    struct ballast_wanted* wanted = bpf_map_lookup_elem(&wanted_ports, &key);
    if (!wanted)
        return;
    wanted->pass = pass->pass;
    wanted->holder.netns = 0;
    ++pass->held;
}

static long on_bound_port(__u32 i, struct walk* walk) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    struct scratch* at = BALLAST_FIRST(scratches);
    if (!pass || !at || !walk->node)
        return 1;
    const struct inet_bind_bucket* bound = (const void*)at->bucket;
    __u64 address = walk->node - bpf_core_field_offset(struct inet_bind_bucket, node);
    if (!read_at(at->bucket, bpf_core_type_size(struct inet_bind_bucket), address, pass))
        return 1;
    struct net* net = bound->ib_net.net;
    __u32 mix = BPF_CORE_READ(net, hash_mix);
    if (((bound->port + mix) & walk->mask) != walk->bucket) { /* P1 */
        ++pass->torn;
        return 1;
    }
    ++pass->bound;
    walk->node = (__u64)bound->node.next;
    if (bound->fastreuse >= 0 || bound->fastreuseport >= 0) {
        poison(net, bound->port);
    } else {
        space_of(net, pass); /* the namespaces that there are */
        if (pass->is_any_wanted)
            note_chosen(pass, net, bound->port);
    }
    return 0;
}

static long on_bound_chain(__u32 unused, struct slice* slice) {
    const __u32 step = bpf_core_type_size(struct inet_bind_hashbucket);
    const __u32 offset = bpf_core_field_offset(struct inet_bind_hashbucket, chain);
    if (!has_chunk(slice, step))
        return 1;
    struct walk walk = {.node = next_chain(slice, step, offset, 0)};
    walk.bucket = slice->next - 1;
    walk.mask = slice->buckets - 1;
    if (walk.node)
        bpf_loop(LONGEST_CHAIN, on_bound_port, &walk, 0);
    return 0;
}

static long on_socket(__u32 i, struct walk* walk) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    struct scratch* at = BALLAST_FIRST(scratches);
    if (!pass || !at)
        return 1;
    if (walk->node & 1) {
        pass->torn += walk->node >> 1 != walk->bucket; /* P2 */
        return 1;
    }
    const struct sock_common* skc = (const void*)at->socket;
    __u64 sk = walk->node - bpf_core_field_offset(struct sock_common, skc_nulls_node);
    if (!read_at(at->socket, bpf_core_type_size(struct sock_common), sk, pass))
        return 1;
    walk->node = (__u64)skc->skc_nulls_node.next;
    if ((skc->skc_hash & walk->mask) != walk->bucket) {
        ++pass->torn;
        return 1;
    }
    ++pass->sockets;
    struct ballast_port_space* space = space_of(skc->skc_net.net, pass);
    if (!space) {
        ++pass->full;
        return 0;
    }
    ++space->sockets;
    space->minis += skc->skc_state == TCP_TIME_WAIT;
    if (!is_in_range(space, skc->skc_num)) {
        ++space->outside;
        return 0;
    }
    at->netns = space->netns;
    at->has_unchosen =
        (space->reserved[0] | space->reserved[1] | space->poisoned[0] | space->poisoned[1]) != 0;
    ballast_count_in_tuple(sk);
    return 0;
}

static long on_socket_chain(__u32 unused, struct slice* slice) {
    const __u32 step = bpf_core_type_size(struct inet_ehash_bucket);
    if (!has_chunk(slice, step))
        return 1;
    struct walk walk = {.node = next_chain(slice, step, 0, 1)};
    walk.bucket = slice->next - 1;
    walk.mask = slice->buckets - 1;
    if (walk.node)
        bpf_loop(LONGEST_CHAIN, on_socket, &walk, 0);
    return 0;
}

/* Goes on where the last slice ended; the next is 0 once the table is through. */
BALLAST_INLINE void go_on(struct ballast_port_pass* pass, struct slice* slice) {
    pass->unreadable += slice->unreadable;
    pass->next = slice->next < slice->buckets ? slice->next : 0;
}

/* A slice of the bind table, `for_ns` long. */
SEC("raw_tp")
int BPF_PROG(ballast_bound_ports, __u64 for_ns) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    if (!pass)
        return 0;
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    struct inet_hashinfo* table = BPF_CORE_READ(task, nsproxy, net_ns, ipv4.tcp_death_row.hashinfo);
    struct slice slice = {.table = (__u64)BPF_CORE_READ(table, bhash),
                          .buckets = BPF_CORE_READ(table, bhash_size),
                          .next = pass->next,
                          .until_ns = bpf_ktime_get_ns() + for_ns};
    if (!pass->next)
        pass->began = bpf_jiffies64();
    bpf_loop(MOST_CHAINS, on_bound_chain, &slice, 0);
    go_on(pass, &slice);
    return 0;
}

/* A slice of the established table that namespaces share, or of that of `space`, the address of its
 * struct net, where that is not 0. */
SEC("raw_tp")
int BPF_PROG(ballast_connected_ports, __u64 for_ns, __u64 space) {
    struct ballast_port_pass* pass = BALLAST_FIRST(port_pass);
    if (!pass)
        return 0;
    const struct net* net = (const void*)space;
    struct inet_hashinfo* table = (void*)pass->table;
    if (space)
        table = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
    struct slice slice = {.table = (__u64)BPF_CORE_READ(table, ehash),
                          .next = pass->next,
                          .until_ns = bpf_ktime_get_ns() + for_ns};
    if (slice.table)
        slice.buckets = BPF_CORE_READ(table, ehash_mask) + 1;
    if (slice.buckets > MOST_BUCKETS) {
        slice.buckets = 0;
        ++pass->unreadable;
    }
    bpf_loop(MOST_CHAINS, on_socket_chain, &slice, 0);
    go_on(pass, &slice);
    return 0;
}
