// SPDX-License-Identifier: GPL-2.0
/*
 * What keeps the counts of local ports (ports.bpf.c) right between two passes, and what a pass
 * cannot see. Attached while the daemon runs, by links that end with it; changes nothing.
 *
 * Invariants
 * H1. Every connect() is counted where it is made, and the daemon wakes before their number exceeds
 *     its allowance: fewer cannot take any tuple from what the last pass saw to where it is in
 *     trouble. The allowance is divided among the CPUs, so it may wake early, never late.
 * H2. A port of the range that a program asks bind() for is noted before the kernel answers.
 * Whether it was refused is for the next pass to see: the port is still one that connect() chose
 * then.
 */
#include "bpf/abi_ports.h"
#include "bpf/first.h"
#include "bpf/kernel.h"
#include "bpf/port_range.h"
#include "bpf/port_wanted.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define PASS 1
#define SOCK_STREAM 1

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ballast_connects);
} connects SEC(".maps");

/* Its records say nothing but that they are there. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} many_connects SEC(".maps");

/* A preempted run may lose a count to the one that preempts it: as many as tasks wait for the CPU.
 */
BALLAST_INLINE int count_connect(const struct bpf_sock_addr* ctx) {
    struct ballast_connects* here = BALLAST_FIRST(connects);
    if (!here || ctx->type != SOCK_STREAM)
        return PASS;
    if (++here->made < here->budget || here->is_said || !here->budget)
        return PASS;
    here->is_said = 1;
    __u32 record = 0;
    bpf_ringbuf_output(&many_connects, &record, sizeof(record), 0);
    return PASS;
}

SEC("cgroup/connect4")
int ballast_count_connect4(struct bpf_sock_addr* ctx) {
    return count_connect(ctx);
}

SEC("cgroup/connect6")
int ballast_count_connect6(struct bpf_sock_addr* ctx) {
    return count_connect(ctx);
}

BALLAST_INLINE int note_bind(struct bpf_sock_addr* ctx) {
    __u16 port = bpf_ntohs((__u16)ctx->user_port);
    if (!port || ctx->type != SOCK_STREAM || !ctx->sk)
        return PASS;
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(ctx->sk);
    if (!tp)
        return PASS;
    struct net* net = tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net;
    __u16 low = 0, high = 0;
    if (!ballast_read_range(&net->ipv4, &low, &high) || port < low || port > high)
        return PASS;
    struct ballast_port_key key = {.space = (__u64)net, .port = port};
    struct ballast_wanted wanted = {
        .cgroup = bpf_get_current_cgroup_id(),
        .at_ns = bpf_ktime_get_ns(),
        .pid = (__u32)(bpf_get_current_pid_tgid() >> 32),
    };
    bpf_get_current_comm(wanted.comm, sizeof(wanted.comm));
    bpf_map_update_elem(&wanted_ports, &key, &wanted, BPF_ANY);
    return PASS;
}

SEC("cgroup/bind4")
int ballast_note_bind4(struct bpf_sock_addr* ctx) {
    return note_bind(ctx);
}

SEC("cgroup/bind6")
int ballast_note_bind6(struct bpf_sock_addr* ctx) {
    return note_bind(ctx);
}
