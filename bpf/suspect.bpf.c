// SPDX-License-Identifier: GPL-2.0
/*
 * Reports flows that may be half-open to the daemon, by events that a healthy flow does not have: a
 * retransmission, an RST, an error. lib/suspicion.h decides what is reported, the daemon what it
 * means.
 *
 * inet_sk_error_report also runs for each completion reported to a sender with MSG_ZEROCOPY or
 * transmit timestamps (net/core/skbuff.c, sock_queue_err_skb()), so its common case is one load.
 */
#include "bpf/lib/suspicion.h"
#include "bpf/socket.h"

#include <linux/errno.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

/* include/net/inet_connection_sock.h */
#define ICSK_TIME_LOSS_PROBE 5

BALLAST_INLINE __u32 silence_of(const struct tcp_sock* tp) {
    return ballast_silence((__u32)bpf_jiffies64(), tp->rcv_tstamp, tp->inet_conn.icsk_ack.lrcvtime);
}

/* The service that the socket's reservation is under; 0: it has none. */
static __attribute__((noinline)) __u32 service_of(__u64 cookie) {
    struct ballast_place place = ballast_find_reservation(cookie);
    if (!place.entry)
        return 0;
    __u32 index = ballast_held_destination(BALLAST_LOAD(place.entry->held));
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    return destination ? destination->service : 0;
}

BALLAST_INLINE void name_flow(struct ballast_suspicion* told, const struct tcp_sock* tp) {
    const struct inet_sock* inet = &tp->inet_conn.icsk_inet;
    const struct sock_common* skc = &inet->sk.__sk_common;
    ballast_read_addresses(skc, told->local_address, told->remote_address);
    told->local_port = bpf_ntohs(inet->inet_sport);
    told->remote_port = bpf_ntohs(skc->skc_dport);
    told->netns = skc->skc_net.net->ns.inum;
    told->interface = (__u32)skc->skc_bound_dev_if;
    told->state = skc->skc_state;
}

BALLAST_INLINE void measure(struct ballast_suspicion* told, const struct tcp_sock* tp) {
    told->bytes_acked = tp->bytes_acked;
    told->bytes_received = tp->bytes_received;
    told->mss = tp->mss_cache;
    told->mark = tp->inet_conn.icsk_inet.sk.sk_mark;
    told->queued = tp->write_seq - tp->snd_una;
    told->packets_out = tp->packets_out;
    told->snd_wnd = tp->snd_wnd;
    told->silent_jiffies = silence_of(tp);
    told->srtt_us = tp->srtt_us >> 3;
    told->total_retrans = tp->total_retrans;
    told->data_segs_out = tp->data_segs_out;
    told->retransmits = tp->inet_conn.icsk_retransmits;
    told->backoff = tp->inet_conn.icsk_backoff;
    told->probes = tp->inet_conn.icsk_probes_out;
}

/* As net/ipv4/tcp_timer.c, keepalive_intvl_when(): the socket's own or its namespace's. */
BALLAST_INLINE __u32 keepalive_of(const struct tcp_sock* tp) {
    const struct net* net = tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net;
    __u32 own = tp->keepalive_intvl;
    return own ? own : (__u32)net->ipv4.sysctl_tcp_keepalive_intvl;
}

BALLAST_INLINE __u32 between_tries(const struct tcp_sock* tp, __u8 kind) {
    struct ballast_tries tries = {.kind = kind,
                                  .retransmits = tp->inet_conn.icsk_retransmits,
                                  .rto = tp->inet_conn.icsk_rto,
                                  .since_sent = (__u32)bpf_jiffies64() - tp->lsndtime,
                                  .snd_wnd = tp->snd_wnd,
                                  .keepalive = keepalive_of(tp)};
    return ballast_between_tries(&tries);
}

/* segment: bytes of what was sent again. */
BALLAST_INLINE int tell(const struct ballast_control* head, struct sock* sk, struct tcp_sock* tp,
                        __u8 kind, __u32 segment) {
    if (!ballast_is_governed_cgroup(ballast_cgroup_of_socket(tp), head))
        return 0;
    __u64 cookie = bpf_get_socket_cookie(sk);
    __u32 service = service_of(cookie);
    struct ballast_suspicion* told = bpf_ringbuf_reserve(&suspicions, sizeof(*told), 0);
    if (!told) {
        BALLAST_COUNT_EVENT(suspicions_lost);
        return 0;
    }
    __builtin_memset(told, 0, sizeof(*told));
    told->cookie = cookie;
    told->now_ns = bpf_ktime_get_ns();
    told->service = (__u16)service;
    told->kind = kind;
    told->segment = segment;
    name_flow(told, tp);
    measure(told, tp);
    told->try_jiffies = between_tries(tp, kind);
    if (ballast_is_inbound(tp, sk->__sk_common.skc_family))
        told->flags |= BALLAST_SUSPICION_INBOUND;
    if (ballast_is_subflow(tp))
        told->flags |= BALLAST_SUSPICION_SUBFLOW;
    if (!sk->sk_socket)
        told->flags |= BALLAST_SUSPICION_ORPHAN;
    if (kind == BALLAST_SUSPICION_RETRANSMISSION &&
        tp->inet_conn.icsk_pending == ICSK_TIME_LOSS_PROBE)
        told->flags |= BALLAST_SUSPICION_TAIL_PROBE;
    bpf_ringbuf_submit(told, 0);
    return 0;
}

/* Later kernels have a third argument, the outcome. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(ballast_retransmit, struct sock* sk, struct sk_buff* skb) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!head || !tp ||
        !ballast_tells_retransmission(head, sk->__sk_common.skc_state, silence_of(tp),
                                      tp->inet_conn.icsk_retransmits))
        return 0;
    return tell(head, sk, tp, BALLAST_SUSPICION_RETRANSMISSION, skb ? skb->len : 0);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(ballast_reset, struct sock* sk) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!head || !tp ||
        !ballast_tells_reset(head, sk->__sk_common.skc_state, silence_of(tp),
                             tp->packets_out + tp->inet_conn.icsk_probes_out))
        return 0;
    return tell(head, sk, tp, BALLAST_SUSPICION_RESET, 0);
}

SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(ballast_error, struct sock* sk) {
    if (sk->sk_err != ETIMEDOUT)
        return 0;
    struct ballast_control* head = BALLAST_FIRST(control);
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!head || !tp ||
        !ballast_tells_end(head, sk->__sk_common.skc_state, silence_of(tp),
                           tp->rcv_tstamp | tp->inet_conn.icsk_ack.lrcvtime))
        return 0;
    return tell(head, sk, tp, BALLAST_SUSPICION_TIMED_OUT, 0);
}
