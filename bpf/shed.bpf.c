// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at SYNs as they come in by a NIC and refuses some of those to listeners that the policy
 * guards, before the accept queue overflows. Attached to devices at TC ingress, pinned, so that it
 * outlives the daemon.
 *
 * Invariants
 * H1. What is not shed goes on to what is attached after it (TC_ACT_UNSPEC, which is TCX_NEXT).
 * H2. A SYN is shed only where the kernel would give it to a listening socket: it finds the socket
 *     as the kernel does (programs of sk_lookup included), and the address is one of this host's.
 * H3. Nothing is kept of a source. What is kept of a listening socket goes with it.
 * H4. The accept queue is read as it is at that moment, without a lock. Its head may be accepted,
 *     freed and used again meanwhile, so it counts only where it is the head still after it was
 *     read.
 */
#include "bpf/lib/shed.h"
#include "bpf/abi.h"
#include "bpf/abi_shed.h"
#include "bpf/first.h"
#include "bpf/kernel.h"
#include "bpf/lib/policy.h"
#include "bpf/lib/rate.h"
#include "bpf/lib/sources.h"
#include "bpf/lib/window.h"
#include "bpf/rst.h"
#include "bpf/syn.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* Admission's map of that name (bpf/maps.h), which the daemon puts in its place. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ballast_control);
} control SEC(".maps");

/* The number of the rule that holds for it. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, BALLAST_MAX_GUARDED);
    __type(key, struct ballast_guarded_key);
    __type(value, __u32);
} shed_guarded SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BALLAST_MAX_SHED_RULES);
    __type(key, __u32);
    __type(value, struct ballast_shed_rule);
} shed_rules SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, BALLAST_MAX_SPARED);
    __type(key, struct ballast_spared_key);
    __type(value, __u8);
} shed_spared SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BALLAST_MAX_SHED_RULES);
    __type(key, __u32);
    __type(value, struct ballast_shed_counts);
} shed_counts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BALLAST_MAX_SHED_RULES);
    __type(key, __u32);
    __type(value, struct ballast_shed_state);
} shed_states SEC(".maps");

/* Windows: bpf/lib/sources.h. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BALLAST_SOURCE_ROWS* BALLAST_SOURCE_CELLS);
    __type(key, __u32);
    __type(value, __u64);
} shed_sources SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct ballast_shed_socket);
} shed_sockets SEC(".maps");

/* Set by the daemon before it loads the program. */
const volatile __u64 source_secret = 0;

/* A SYN to a guarded listener. */
struct arrival {
    struct syn syn;
    struct ballast_shed_sight sight;
    __u32 row; /* of its rule */
    __u32 limit;
    __u32 verdict; /* enum ballast_shed_verdict */
};

BALLAST_INLINE void count_verdict(__u32 row, __u32 verdict) {
    struct ballast_shed_counts* counts = bpf_map_lookup_elem(&shed_counts, &row);
    if (counts && verdict < BALLAST_SYN_VERDICTS)
        ++counts->syns[verdict];
}

#define COUNT(row, member)                                                                         \
    ({                                                                                             \
        __u32 row_ = (row);                                                                        \
        struct ballast_shed_counts* counts_ = bpf_map_lookup_elem(&shed_counts, &row_);            \
        if (counts_)                                                                               \
            ++counts_->member;                                                                     \
    })

/* Row of the rule; 0: none. */
BALLAST_INLINE __u32 rule_row(const struct syn* syn) {
    struct ballast_guarded_key key = {.port = bpf_ntohs(syn->target_port)};
    __builtin_memcpy(key.address, &syn->target, sizeof(key.address));
    const __u32* row = bpf_map_lookup_elem(&shed_guarded, &key);
    if (row)
        return *row;
    __builtin_memset(key.address, 0, sizeof(key.address));
    row = bpf_map_lookup_elem(&shed_guarded, &key);
    return row ? *row : 0;
}

BALLAST_INLINE struct bpf_sock* look_up(struct __sk_buff* skb, const struct syn* syn) {
    struct bpf_sock_tuple tuple = {};
    if (syn->is_ipv6) {
        __builtin_memcpy(tuple.ipv6.saddr, &syn->source, 16);
        __builtin_memcpy(tuple.ipv6.daddr, &syn->target, 16);
        tuple.ipv6.sport = syn->source_port;
        tuple.ipv6.dport = syn->target_port;
        return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), (__u64)BPF_F_CURRENT_NETNS, 0);
    }
    tuple.ipv4.saddr = syn->source.words[3];
    tuple.ipv4.daddr = syn->target.words[3];
    tuple.ipv4.sport = syn->source_port;
    tuple.ipv4.dport = syn->target_port;
    return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), (__u64)BPF_F_CURRENT_NETNS, 0);
}

/* H4. Since the handshake was over, which took the RTT that the connection begins with. */
BALLAST_INLINE void read_age(const struct tcp_sock* listener, struct arrival* arrival) {
    struct request_sock* head = listener->inet_conn.icsk_accept_queue.rskq_accept_head;
    arrival->sight.age_us = 0;
    arrival->sight.is_age_known = 1;
    if (!head)
        return;
    arrival->sight.is_age_known = 0;
    __u64 answered_us = BPF_CORE_READ((struct tcp_request_sock*)head, snt_synack);
    __u8 repeats = BPF_CORE_READ(head, num_retrans);
    struct tcp_sock* child = (struct tcp_sock*)BPF_CORE_READ(head, sk);
    __u32 rtt = BPF_CORE_READ(child, srtt_us) >> 3;
    if (!answered_us || repeats || listener->inet_conn.icsk_accept_queue.rskq_accept_head != head)
        return;
    __u64 now_us = arrival->sight.now_ns / 1000, queued_us = answered_us + rtt;
    __u64 age_us = now_us > queued_us ? now_us - queued_us : 0;
    arrival->sight.age_us =
        age_us < BALLAST_SHED_OLDEST_US ? (__u32)age_us : BALLAST_SHED_OLDEST_US;
    arrival->sight.is_age_known = 1;
}

#define MOST_MEMBERS 256

struct least_full {
    __u64 group; /* its address */
    __u32 members;
    __u32 depth;
    __u32 limit;
};

static long on_member(__u32 i, struct least_full* least) {
    if (i >= least->members)
        return 1;
    const struct sock* member = 0;
    __u64 place = least->group + bpf_core_field_offset(struct sock_reuseport, socks) +
                  (__u64)i * sizeof(member);
    bpf_probe_read_kernel(&member, sizeof(member), (const void*)place);
    __u32 depth = BPF_CORE_READ(member, sk_ack_backlog);
    __u32 limit = BPF_CORE_READ(member, sk_max_ack_backlog);
    if ((__u64)depth * least->limit < (__u64)least->depth * limit) {
        least->depth = depth;
        least->limit = limit;
    }
    return 0;
}

/* A program chooses among the group, by what is not ours to know: the least full member decides. */
BALLAST_INLINE void read_group(const struct tcp_sock* listener, struct arrival* arrival) {
    struct sock_reuseport* group = listener->inet_conn.icsk_inet.sk.sk_reuseport_cb;
    if (!group || !BPF_CORE_READ(group, prog))
        return;
    struct least_full least = {.group = (__u64)group,
                               .members = BPF_CORE_READ(group, num_socks),
                               .depth = arrival->sight.depth,
                               .limit = arrival->limit};
    bpf_loop(MOST_MEMBERS, on_member, &least, 0);
    arrival->sight.depth = least.depth;
    arrival->limit = least.limit;
    arrival->sight.is_age_known = 0;
    COUNT(arrival->row, guessed);
}

/* How many SYNs the source has sent within the window, with this. */
BALLAST_INLINE __u32 count_source(const struct arrival* arrival,
                                  const struct ballast_shed_rule* rule) {
    const union ballast_address* source = &arrival->syn.source;
    __u32 bits = arrival->syn.is_ipv6 ? rule->source_ipv6 : 96u + rule->source_ipv4;
    __u64 high = (__u64)source->words[1] << 32 | source->words[0];
    __u64 low = (__u64)source->words[3] << 32 | source->words[2];
    if (bits < 64) {
        high &= bits ? bpf_cpu_to_be64(~0ull << (64 - bits)) : 0;
        low = 0;
    } else if (bits < 128) {
        low &= bits > 64 ? bpf_cpu_to_be64(~0ull << (128 - bits)) : 0;
    }
    __u64 hash = ballast_source_hash(high, low, arrival->row, source_secret);
    __u32 least = ~0u;
#pragma unroll
    for (__u32 row = 0; row < BALLAST_SOURCE_ROWS; row++) {
        __u32 cell = ballast_source_cell(hash, row);
        __u64* word = bpf_map_lookup_elem(&shed_sources, &cell);
        __u32 sum = word ? ballast_window_add(word, arrival->sight.now_ns) : 0;
        if (sum < least)
            least = sum;
    }
    return least;
}

BALLAST_INLINE bool is_by_chance(__u32 chance) {
    return ((__u64)bpf_get_prandom_u32() * BALLAST_WHOLE >> 32) < chance;
}

/* What the state of the listener means for the SYN. */
BALLAST_STEP int ballast_judge(struct arrival* arrival, struct ballast_shed_socket* of) {
    __u32 row = arrival ? arrival->row : 0;
    const struct ballast_shed_rule* rule = bpf_map_lookup_elem(&shed_rules, &row);
    struct ballast_shed_state* state = bpf_map_lookup_elem(&shed_states, &row);
    if (!arrival || !of || !rule || !state)
        return BALLAST_SYN_UNDECIDED;
    __u64 now_ns = arrival->sight.now_ns;
    __u32 sent = count_source(arrival, rule);
    __u32 most = ballast_window_most(&state->largest, sent, now_ns);
    __u32 by_age = ballast_shed_by_age(of, rule, &arrival->sight);
    __u32 by_depth = ballast_shed_by_depth(rule, arrival->sight.depth, arrival->limit);
    __u32 chance = by_age > by_depth ? by_age : by_depth;
    if (chance) {
        if (is_by_chance(ballast_shed_of_source(chance, sent, most)))
            return by_age > by_depth ? BALLAST_SYN_SHED_AGE : BALLAST_SYN_SHED_DEPTH;
        __u32 admitted =
            ballast_window_sum(ballast_window_at(BALLAST_LOAD(state->admitted), now_ns), now_ns);
        if (is_by_chance(ballast_shed_by_share(rule, sent, admitted)))
            return BALLAST_SYN_SHED_SHARE;
    }
    if (ballast_rate_take(&state->tat_ns, rule->rate_interval_ns, rule->rate_burst_ns, now_ns) ==
        BALLAST_RATE_OVER)
        return BALLAST_SYN_SHED_RATE;
    ballast_window_add(&state->admitted, now_ns);
    return BALLAST_SYN_ADMITTED;
}

BALLAST_INLINE bool is_spared(const struct arrival* arrival) {
    struct ballast_spared_key key = {.prefix_length = 32 + 128, .rule = arrival->row};
    __builtin_memcpy(key.address, &arrival->syn.source, sizeof(key.address));
    return bpf_map_lookup_elem(&shed_spared, &key) != 0;
}

/* H2: a listener on any address matches what this host only forwards, too. Where it does not
 * forward what comes in by the device, that is not so. */
BALLAST_INLINE bool is_for_this_host(struct __sk_buff* skb, const struct syn* syn) {
    struct bpf_fib_lookup fib = {.l4_protocol = IPPROTO_TCP, .ifindex = skb->ingress_ifindex};
    if (!fib.ifindex)
        fib.ifindex = skb->ifindex;
    if (syn->is_ipv6) {
        fib.family = AF_INET6;
        __builtin_memcpy(fib.ipv6_src, &syn->source, 16);
        __builtin_memcpy(fib.ipv6_dst, &syn->target, 16);
    } else {
        fib.family = AF_INET;
        fib.ipv4_src = syn->source.words[3];
        fib.ipv4_dst = syn->target.words[3];
    }
    long found = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
    return found == BPF_FIB_LKUP_RET_NOT_FWDED || found == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* Judges the arrival by its listener; what is kept with that, or NULL: the SYN is no listener's. */
BALLAST_INLINE struct ballast_shed_socket* judge_by(struct bpf_sock* found,
                                                    struct arrival* arrival) {
    if (found->state != TCP_LISTEN) {
        if (found->state == TCP_TIME_WAIT)
            count_verdict(arrival->row, BALLAST_SYN_UNDECIDED);
        return 0;
    }
    struct tcp_sock* listener = (struct tcp_sock*)bpf_skc_to_tcp_sock(found);
    struct ballast_shed_socket* of =
        bpf_sk_storage_get(&shed_sockets, found, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!listener || !of) {
        count_verdict(arrival->row, BALLAST_SYN_UNDECIDED);
        return 0;
    }
    arrival->sight.depth = listener->inet_conn.icsk_inet.sk.sk_ack_backlog;
    arrival->limit = listener->inet_conn.icsk_inet.sk.sk_max_ack_backlog;
    read_age(listener, arrival);
    read_group(listener, arrival);
    arrival->verdict = (__u32)ballast_judge(arrival, of);
    return of;
}

BALLAST_INLINE int pass_on(struct arrival* arrival, __u32 verdict) {
    count_verdict(arrival->row, verdict);
    return TC_ACT_UNSPEC;
}

/* A SYN that is to be shed. */
BALLAST_STEP int ballast_act(struct __sk_buff* skb, struct arrival* arrival) {
    struct ballast_control* now = BALLAST_FIRST(control);
    __u32 row = arrival ? arrival->row : 0;
    const struct ballast_shed_rule* rule = bpf_map_lookup_elem(&shed_rules, &row);
    if (!skb || !arrival || !now || !rule)
        return TC_ACT_UNSPEC;
    if (is_spared(arrival))
        return pass_on(arrival, BALLAST_SYN_SPARED);
    if (!is_for_this_host(skb, &arrival->syn))
        return pass_on(arrival, BALLAST_SYN_UNDECIDED);
    count_verdict(arrival->row, arrival->verdict);
    if (ballast_over_limit(now, rule->mode, arrival->sight.now_ns) != BALLAST_REFUSE) {
        COUNT(arrival->row, withheld);
        return TC_ACT_UNSPEC;
    }
    if (rule->action == BALLAST_SHED_DROP)
        return TC_ACT_SHOT;
    int action = ballast_refuse(skb, &arrival->syn);
    if (action == TC_ACT_SHOT)
        COUNT(arrival->row, unanswered);
    return action;
}

SEC("tc")
int ballast_shed(struct __sk_buff* skb) {
    struct arrival arrival = {};
    enum syn_kind kind = read_syn(skb, &arrival.syn);
    if (kind == NO_SYN)
        return TC_ACT_UNSPEC;
    if (kind == UNDECIDED_SYN)
        return pass_on(&arrival, BALLAST_SYN_UNDECIDED);
    arrival.row = rule_row(&arrival.syn);
    if (!arrival.row)
        return TC_ACT_UNSPEC;
    struct bpf_sock* found = look_up(skb, &arrival.syn);
    if (!found)
        return TC_ACT_UNSPEC;
    arrival.sight.now_ns = bpf_ktime_get_ns();
    struct ballast_shed_socket* of = judge_by(found, &arrival);
    bpf_sk_release(found);
    if (!of)
        return TC_ACT_UNSPEC;
    int action;
    if (arrival.verdict == BALLAST_SYN_ADMITTED || arrival.verdict == BALLAST_SYN_UNDECIDED)
        action = pass_on(&arrival, arrival.verdict);
    else
        action = ballast_act(skb, &arrival);
    if (action == TC_ACT_UNSPEC)
        ballast_shed_passed(of);
    return action;
}
