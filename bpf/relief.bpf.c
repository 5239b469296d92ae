// SPDX-License-Identifier: GPL-2.0
/*
 * Relief for single destinations that a source runs out of local ports for: ports outside
 * ip_local_port_range (own_range), other source addresses (spread), and a refusal in no time where
 * the kernel would search all ports in vain (refuse). Attached only while some destination needs
 * it, by links that end with the daemon, so that whatever becomes of it connect() is the kernel's
 * again; sockets keep what they were given.
 *
 * Invariants
 * F1. A socket that its program has bound, to a port, an address or a device, or given a range of
 *     its own, is left alone. No socket is bound to an address but by `spread`, so that routes
 *     choose the source as ever.
 * F2. A port of the own range is given where it is not reserved (ip_local_reserved_ports, which
 *     bind() does not ask) and the kernel knows no socket of that tuple, or one in
 *     TIME_WAIT for a second or longer whose timestamps tell old segments from new (RFC 6191; the
 *     kernel itself would reuse it at once for a bound socket, net/ipv4/tcp_ipv4.c,
 *     tcp_twsk_unique()).
 * F3. What cannot be given is left to the kernel's search, and counted.
 * F4. A refusal follows a connect() that found no port: SYN_SENT to CLOSE with no port and nothing
 *     sent (net/ipv4/tcp_ipv4.c, tcp_v4_connect(), failure). It lasts refuse_ns; what comes then
 *     searches again.
 */
#include "bpf/abi_relief.h"
#include "bpf/kernel.h"
#include "bpf/lib/address.h"
#include "bpf/lib/atomic.h"

#include <asm/socket.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/in6.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define ADMIT 1
#define REFUSE 0

/* Ports looked at for one connect(). The cursor goes through the range, and what was given first
 * is mostly free first, so it rarely takes two. */
#define TRIES 32
#define STEPS 1024 /* with those that are reserved, which come in blocks */
#define TIME_WAIT_SECONDS 60

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BALLAST_MAX_RELIEVED);
    __type(key, struct ballast_relief_key);
    __type(value, struct ballast_relief);
} relieved SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BALLAST_MAX_RELIEVED);
    __type(key, struct ballast_relief_key);
    __type(value, struct ballast_relief_state);
} relief_states SEC(".maps");

/* Admission's map of that name (bpf/maps.h), which the daemon puts in its place. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, BALLAST_MAX_PORTLESS);
    __type(key, __u64);
    __type(value, __u8);
} portless SEC(".maps");

/* Set by the daemon before it loads the programs. */
const volatile __u32 ticks_per_second = 0;

/* A connect() that is to be relieved. */
struct call {
    struct bpf_sock_addr* ctx;
    const unsigned long* reserved; /* bitmap of ports, of the namespace */
    const struct ballast_relief* relief;
    struct ballast_relief_state* state;
    struct bpf_sock_tuple tuple; /* as a packet of the peer would have it */
    __u32 tuple_size;
    __u16 port; /* found; 0: none yet */
    __u16 tries;
};

BALLAST_INLINE bool is_v4(const __u8 address[16]) {
    const union ballast_address* a = (const union ballast_address*)address;
    return !a->words[0] && !a->words[1] && a->words[2] == bpf_htonl(0x0000ffff);
}

BALLAST_INLINE __u32 last_word(const __u8 address[16]) {
    return ((const union ballast_address*)address)->words[3];
}

/* F2. */
BALLAST_INLINE bool is_reusable(struct bpf_sock* found) {
    if (found->state != TCP_TIME_WAIT)
        return false;
    struct tcp_timewait_sock* waiting = bpf_skc_to_tcp_timewait_sock(found);
    if (!waiting || waiting->tw_sk.tw_substate != TCP_TIME_WAIT || !waiting->tw_ts_recent_stamp)
        return false;
    __s64 left = (__s64)(waiting->tw_sk.tw_timer.expires - bpf_jiffies64());
    return left < (__s64)(TIME_WAIT_SECONDS - 1) * ticks_per_second;
}

BALLAST_INLINE bool is_reserved(const struct call* call, __u32 port) {
    __u64 word = 0;
    if (!call->reserved || bpf_probe_read_kernel(&word, sizeof(word), call->reserved + port / 64))
        return false;
    return word >> (port % 64) & 1;
}

static long try_port(__u32 i, struct call* call) {
    const struct ballast_relief* relief = call->relief;
    __u32 size = (__u32)relief->high - relief->low + 1;
    if (relief->high < relief->low)
        return 1;
    __u16 port = (__u16)(relief->low + __sync_fetch_and_add(&call->state->cursor, 1) % size);
    if (call->tuple_size == sizeof(call->tuple.ipv4))
        call->tuple.ipv4.dport = bpf_htons(port);
    else
        call->tuple.ipv6.dport = bpf_htons(port);
    if (is_reserved(call, port))
        return 0;
    if (++call->tries > TRIES)
        return 1;
    struct bpf_sock* found =
        call->tuple_size == sizeof(call->tuple.ipv4)
            ? bpf_skc_lookup_tcp(call->ctx, &call->tuple, sizeof(call->tuple.ipv4),
                                 (__u64)BPF_F_CURRENT_NETNS, 0)
            : bpf_skc_lookup_tcp(call->ctx, &call->tuple, sizeof(call->tuple.ipv6),
                                 (__u64)BPF_F_CURRENT_NETNS, 0);
    bool is_free = true;
    if (found) {
        is_free = is_reusable(found);
        bpf_sk_release(found);
    }
    if (!is_free)
        return 0;
    call->port = port;
    return 1;
}

/* Binds the socket to `source` and `port` (host byte order; 0: connect() is to choose one). */
BALLAST_INLINE bool bind_to(struct bpf_sock_addr* ctx, const __u8 source[16], __u16 port) {
    if (ctx->family == AF_INET) {
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = bpf_htons(port)};
        name.sin_addr.s_addr = last_word(source);
        return !bpf_bind(ctx, (struct sockaddr*)&name, sizeof(name));
    }
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = bpf_htons(port)};
    __builtin_memcpy(&name.sin6_addr, source, sizeof(name.sin6_addr));
    return !bpf_bind(ctx, (struct sockaddr*)&name, sizeof(name));
}

/* With SO_REUSEADDR several destinations share a port; what the program had is put back at once,
 * since the bind bucket remembers (net/ipv4/inet_connection_sock.c, inet_csk_update_fastreuse()).
 */
BALLAST_INLINE bool bind_shared(struct bpf_sock_addr* ctx, __u16 port) {
    int before = 0, on = 1;
    if (bpf_getsockopt(ctx, SOL_SOCKET, SO_REUSEADDR, &before, sizeof(before)) ||
        bpf_setsockopt(ctx, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
        return false;
    const __u8 any[16] = {};
    bool is_bound = bind_to(ctx, any, port);
    if (!before)
        bpf_setsockopt(ctx, SOL_SOCKET, SO_REUSEADDR, &before, sizeof(before));
    return is_bound;
}

static __attribute__((noinline)) int give_port(struct call* call) {
    bpf_loop(STEPS, try_port, call, 0);
    if (!call->port || !bind_shared(call->ctx, call->port)) {
        __sync_fetch_and_add(&call->state->missed, 1);
        return 0;
    }
    __sync_fetch_and_add(&call->state->given, 1);
    return 1;
}

static __attribute__((noinline)) int spread(struct call* call) {
    const struct ballast_relief* relief = call->relief;
    __u32 sources = relief->sources;
    if (!sources || sources > BALLAST_MAX_SOURCES)
        return 0;
    __u32 turn = __sync_fetch_and_add(&call->state->turn, 1) % (sources + 1);
    /* the last turn is the source's that the route chooses */
    if (turn < sources &&
        !bind_to(call->ctx, relief->pool[ballast_bounded(turn, BALLAST_MAX_SOURCES)], 0)) {
        __sync_fetch_and_add(&call->state->missed, 1);
        return 0;
    }
    __sync_fetch_and_add(&call->state->spread, 1);
    return 1;
}

BALLAST_INLINE void fill_tuple(struct call* call, const union ballast_address* remote,
                               __u16 remote_port) {
    const struct ballast_relief* relief = call->relief;
    if (is_v4(remote->bytes)) {
        call->tuple.ipv4.saddr = remote->words[3];
        call->tuple.ipv4.daddr = last_word(relief->source);
        call->tuple.ipv4.sport = remote_port;
        call->tuple_size = sizeof(call->tuple.ipv4);
        return;
    }
    __builtin_memcpy(call->tuple.ipv6.saddr, remote, sizeof(*remote));
    __builtin_memcpy(call->tuple.ipv6.daddr, relief->source, sizeof(relief->source));
    call->tuple.ipv6.sport = remote_port;
    call->tuple_size = sizeof(call->tuple.ipv6);
}

/* F1. */
BALLAST_INLINE bool is_bound(const struct bpf_sock* sk) {
    return sk->src_port || sk->src_ip4 || sk->bound_dev_if ||
           (sk->family == AF_INET6 &&
            (sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3]));
}

BALLAST_INLINE __u32 word_at(const void* at, __u32 offset) {
    __u32 word = 0;
    (void)bpf_probe_read_kernel(&word, sizeof(word), (const __u8*)at + offset);
    return word;
}

/* F1: IP_LOCAL_PORT_RANGE, since Linux 6.3. */
BALLAST_INLINE bool has_range(const struct tcp_sock* tp) {
    const struct inet_sock___since_6_8* inet = (const void*)tp;
    const struct inet_sock___since_6_3* earlier = (const void*)tp;
    if (bpf_core_field_exists(inet->local_port_range))
        return word_at(tp, bpf_core_field_offset(inet->local_port_range));
    if (bpf_core_field_exists(earlier->local_port_range.lo))
        return word_at(tp, bpf_core_field_offset(earlier->local_port_range.lo));
    return false;
}

BALLAST_INLINE int relieve(struct bpf_sock_addr* ctx, const union ballast_address* remote) {
    struct bpf_sock* sk = ctx->sk;
    if (ctx->protocol != IPPROTO_TCP || !sk || bpf_get_retval() < 0)
        return ADMIT;
    struct ballast_relief_key key = {.netns_cookie = bpf_get_netns_cookie(ctx),
                                     .remote_port = bpf_ntohs((__u16)ctx->user_port)};
    __builtin_memcpy(key.remote, remote, sizeof(key.remote));
    const struct ballast_relief* relief = bpf_map_lookup_elem(&relieved, &key);
    struct ballast_relief_state* state = bpf_map_lookup_elem(&relief_states, &key);
    if (!relief || !state || is_bound(sk))
        return ADMIT;
    const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!tp || has_range(tp))
        return ADMIT;
    const struct net* net = tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net;
    struct call call = {.ctx = ctx,
                        .reserved = BPF_CORE_READ(net, ipv4.sysctl_local_reserved_ports),
                        .relief = relief,
                        .state = state};
    fill_tuple(&call, remote, (__u16)ctx->user_port);
    if (relief->what & BALLAST_RELIEF_OWN_RANGE && give_port(&call))
        return ADMIT;
    if (relief->what & BALLAST_RELIEF_SPREAD && spread(&call))
        return ADMIT;
    if (!(relief->what & BALLAST_RELIEF_REFUSE) ||
        bpf_ktime_get_ns() >= BALLAST_LOAD(state->refuse_until))
        return ADMIT;
    __u64 cookie = bpf_get_socket_cookie(ctx);
    __u8 is_portless = 1;
    bpf_map_update_elem(&portless, &cookie, &is_portless, BPF_ANY);
    __sync_fetch_and_add(&state->refused, 1);
    bpf_set_retval(-EADDRNOTAVAIL);
    return REFUSE;
}

SEC("cgroup/connect4")
int ballast_relieve4(struct bpf_sock_addr* ctx) {
    union ballast_address remote;
    ballast_address_v4(&remote, ctx->user_ip4);
    return relieve(ctx, &remote);
}

SEC("cgroup/connect6")
int ballast_relieve6(struct bpf_sock_addr* ctx) {
    if (ctx->user_family != AF_INET6)
        return ADMIT;
    __u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
    union ballast_address remote;
    ballast_address_v6(&remote, words);
    return relieve(ctx, &remote);
}

/* F4. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ballast_exhausted, struct sock* sk, int before, int after) {
    const struct sock_common* skc = &sk->__sk_common;
    if (before != TCP_SYN_SENT || after != TCP_CLOSE || skc->skc_num)
        return 0;
    const struct tcp_sock* tp = bpf_skc_to_tcp_sock(sk);
    if (!tp || tp->segs_out)
        return 0;
    struct ballast_relief_key key = {.netns_cookie = skc->skc_net.net->net_cookie,
                                     .remote_port = bpf_ntohs(skc->skc_dport)};
    if (skc->skc_family == AF_INET)
        ballast_address_v4((union ballast_address*)key.remote, skc->skc_daddr);
    else
        __builtin_memcpy(key.remote, &skc->skc_v6_daddr, sizeof(key.remote));
    const struct ballast_relief* relief = bpf_map_lookup_elem(&relieved, &key);
    struct ballast_relief_state* state = bpf_map_lookup_elem(&relief_states, &key);
    if (!relief || !state)
        return 0;
    __sync_fetch_and_add(&state->exhausted, 1);
    *(volatile __u64*)&state->refuse_until = bpf_ktime_get_ns() + relief->refuse_ns;
    return 0;
}
