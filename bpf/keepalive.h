/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keepalive of a connection: reads and sets its options, for sockops, which sees new connections,
 * and for the iterators, which see all. lib/keepalive.h decides.
 *
 * The application's settings are kept with the socket, which costs an allocation for those that
 * Ballast changes.
 */
#ifndef BALLAST_BPF_KEEPALIVE_H
#define BALLAST_BPF_KEEPALIVE_H

#include "bpf/lib/keepalive.h"
#include "bpf/lib/suspicion.h"
#include "bpf/tables.h"

#include <bpf/bpf_core_read.h>

#include <asm/socket.h>
#include <linux/in.h>
#include <linux/tcp.h>

#define BALLAST_MOST_KEEPALIVE_S 32767u /* include/net/tcp.h: MAX_TCP_KEEPIDLE, _KEEPINTVL */
#define BALLAST_MOST_KEEPALIVE_COUNT 127u

BALLAST_INLINE bool ballast_socket_has(const struct sock_common* skc, __u32 flag) {
    return skc->skc_flags & (1ul << flag);
}

/* Whether its options may be set: it is there, and somebody holds it. The kernel ends connections
 * that nobody holds by the timer that keepalive uses. */
BALLAST_INLINE bool ballast_may_keep_alive(const struct sock_common* skc) {
    switch (skc->skc_state) {
    case TCP_ESTABLISHED:
    case TCP_CLOSE_WAIT:
        return true;
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
        return !ballast_socket_has(skc, bpf_core_enum_value(enum sock_flags, SOCK_DEAD));
    default:
        return false;
    }
}

/* In seconds, capped at what can be set again: the kernel's own may be more. */
BALLAST_INLINE __u32 ballast_settable_seconds(__u32 jiffies, __u32 hz) {
    __u32 seconds = jiffies / (hz ? hz : 1);
    return seconds < BALLAST_MOST_KEEPALIVE_S ? seconds : BALLAST_MOST_KEEPALIVE_S;
}

BALLAST_INLINE void ballast_read_option(struct ballast_keepalive* now, __u32 option, __u32 chosen,
                                        __u32 kernel) {
    now->value[option] = chosen ? chosen : kernel;
    if (chosen)
        now->chosen |= 1u << option;
}

/* A connection's settings, and what the kernel's are in its namespace. */
struct ballast_keepalive_look {
    struct ballast_keepalive now;
    struct ballast_keepalive own;
    __u32 kernel[BALLAST_KEEPALIVE_OPTIONS];
    __u32 force[BALLAST_KEEPALIVE_OPTIONS];
    struct ballast_due due;
    __u32 is_granted;
    __u32 lack; /* enum ballast_keepalive_lack */
};

BALLAST_INLINE void ballast_look_at_keepalive(struct tcp_sock* tp, __u32 hz,
                                              struct ballast_keepalive_look* look) {
    const struct sock_common* skc = &tp->inet_conn.icsk_inet.sk.__sk_common;
    struct net* net = skc->skc_net.net;
    __u32 most = net->ipv4.sysctl_tcp_keepalive_probes;
    look->kernel[BALLAST_KEEPALIVE_ON] = look->kernel[BALLAST_KEEPALIVE_USER_TIMEOUT] = 0;
    look->kernel[BALLAST_KEEPALIVE_IDLE] =
        ballast_settable_seconds((__u32)net->ipv4.sysctl_tcp_keepalive_time, hz);
    look->kernel[BALLAST_KEEPALIVE_INTERVAL] =
        ballast_settable_seconds((__u32)net->ipv4.sysctl_tcp_keepalive_intvl, hz);
    look->kernel[BALLAST_KEEPALIVE_COUNT] =
        most < BALLAST_MOST_KEEPALIVE_COUNT ? most : BALLAST_MOST_KEEPALIVE_COUNT;
    struct ballast_keepalive* now = &look->now;
    now->chosen = 0;
    __u32 keepopen = bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN);
    ballast_read_option(now, BALLAST_KEEPALIVE_ON, ballast_socket_has(skc, keepopen), 0);
    ballast_read_option(now, BALLAST_KEEPALIVE_IDLE,
                        ballast_settable_seconds(tp->keepalive_time, hz),
                        look->kernel[BALLAST_KEEPALIVE_IDLE]);
    ballast_read_option(now, BALLAST_KEEPALIVE_INTERVAL,
                        ballast_settable_seconds(tp->keepalive_intvl, hz),
                        look->kernel[BALLAST_KEEPALIVE_INTERVAL]);
    ballast_read_option(now, BALLAST_KEEPALIVE_COUNT, tp->keepalive_probes,
                        look->kernel[BALLAST_KEEPALIVE_COUNT]);
    ballast_read_option(now, BALLAST_KEEPALIVE_USER_TIMEOUT, tp->inet_conn.icsk_user_timeout, 0);
}

/* ctx: of a program that may set options of the socket, or the socket itself. */
BALLAST_INLINE bool ballast_set_keepalive_option(void* ctx, __u32 option, __u32 wanted) {
    int value = (int)wanted;
    int level = option == BALLAST_KEEPALIVE_ON ? SOL_SOCKET : IPPROTO_TCP;
    int name = option == BALLAST_KEEPALIVE_ON         ? SO_KEEPALIVE
               : option == BALLAST_KEEPALIVE_IDLE     ? TCP_KEEPIDLE
               : option == BALLAST_KEEPALIVE_INTERVAL ? TCP_KEEPINTVL
               : option == BALLAST_KEEPALIVE_COUNT    ? TCP_KEEPCNT
                                                      : TCP_USER_TIMEOUT;
    return !bpf_setsockopt(ctx, level, name, &value, sizeof(value));
}

/* Sets what differs from what is in force, and keeps what was. */
BALLAST_INLINE void ballast_force_keepalive(void* ctx, void* sk,
                                            const struct ballast_keepalive_look* look) {
    if (ballast_same_options(look->force, look->now.value))
        return;
    struct ballast_kept_keepalive* kept =
        bpf_sk_storage_get(&keepalives, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (!kept) {
        BALLAST_COUNT_EVENT(keepalives_failed);
        return;
    }
#pragma GCC unroll 5
    for (__u32 i = 0; i < BALLAST_KEEPALIVE_OPTIONS; i++) {
        if (look->force[i] == look->now.value[i])
            continue;
        if (!ballast_set_keepalive_option(ctx, i, look->force[i])) {
            BALLAST_COUNT_EVENT(keepalives_failed);
            continue;
        }
        kept->set[i] = look->force[i];
        kept->written |= 1u << i;
        kept->own.value[i] = look->own.value[i];
        kept->own.chosen = (kept->own.chosen & ~(1u << i)) | (look->own.chosen & (1u << i));
    }
}

#define BALLAST_STALE_FOR_NS (600ull * 1000000000) /* by then all have been probed */

/* Whether it was silent when the host slept. */
BALLAST_INLINE bool ballast_is_stale(__u32 elapsed_s) {
    struct ballast_control* head = BALLAST_FIRST(control);
    __u64 slept = head ? BALLAST_LOAD(head->slept_ns) : 0;
    if (!slept)
        return false;
    __u64 since = bpf_ktime_get_ns() - slept;
    return since < BALLAST_STALE_FOR_NS && elapsed_s > since / 1000000000;
}

BALLAST_INLINE void ballast_look_when_due(struct tcp_sock* tp, __u32 hz,
                                          struct ballast_keepalive_look* look) {
    __u32 elapsed =
        ballast_silence((__u32)bpf_jiffies64(), tp->rcv_tstamp, tp->inet_conn.icsk_ack.lrcvtime);
    look->due.elapsed_s = elapsed / (hz ? hz : 1);
    look->due.is_stale = ballast_is_stale(look->due.elapsed_s);
}

/* Fills in look->force and look->lack; the bits of the options that are Ballast's then. A function
 * of its own, since the verifier would follow all its ways in each program. */
BALLAST_ONCE int ballast_decide_keepalive(struct ballast_keepalive_look* look,
                                          const struct ballast_keepalive_wish* wish) {
    if (!look || !wish)
        return 0;
    const __u32* now = look->now.value;
    const __u32* own = look->own.value;
    struct ballast_due due = look->due;
    bool is_ours = now[BALLAST_KEEPALIVE_IDLE] != own[BALLAST_KEEPALIVE_IDLE];
    due.in_force_s = now[BALLAST_KEEPALIVE_ON] && is_ours ? now[BALLAST_KEEPALIVE_IDLE] : 0;
    due.own_s = own[BALLAST_KEEPALIVE_ON] ? own[BALLAST_KEEPALIVE_IDLE] : 0;
    __u32 ours = ballast_tighten(&look->own, wish, look->is_granted, look->force, &look->lack);
    if (ours & (1u << BALLAST_KEEPALIVE_IDLE))
        look->force[BALLAST_KEEPALIVE_IDLE] =
            ballast_staggered_idle(wish, look->force[BALLAST_KEEPALIVE_IDLE], &due);
    return (int)ours;
}

/* Fills in what is to be in force, look->force: a wish that is granted, or what the application
 * had; the bits of the options that are Ballast's then. Changes nothing. */
BALLAST_INLINE __u32 ballast_plan_keepalive(void* sk, struct tcp_sock* tp, __u32 hz,
                                            const struct ballast_keepalive_wish* wish,
                                            bool is_granted, struct ballast_keepalive_look* look) {
    struct ballast_kept_keepalive* kept = bpf_sk_storage_get(&keepalives, sk, NULL, 0);
    ballast_look_at_keepalive(tp, hz, look);
    ballast_own_keepalive(kept, &look->now, look->kernel, &look->own);
    ballast_look_when_due(tp, hz, look);
    look->is_granted = is_granted;
    return (__u32)ballast_decide_keepalive(look, wish);
}

/* Grants a wish, or gives back what the application had; the bits of the options that are
 * Ballast's. */
BALLAST_INLINE __u32 ballast_keep_alive(void* ctx, void* sk, struct tcp_sock* tp, __u32 hz,
                                        const struct ballast_keepalive_wish* wish, bool is_granted,
                                        struct ballast_keepalive_look* look) {
    __u32 ours = ballast_plan_keepalive(sk, tp, hz, wish, is_granted, look);
    ballast_force_keepalive(ctx, sk, look);
    return ours;
}

/* The wish of the policy in force for the connection of a reservation, as a mode: off where it
 * wishes nothing, observe where it may not be done. */
BALLAST_ONCE int ballast_wish_keepalive(__u64 cookie, struct ballast_keepalive_wish* wish) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_place place = ballast_find_reservation(cookie);
    if (!wish || !head || !place.entry)
        return BALLAST_MODE_OFF;
    __u32 index = ballast_held_destination(BALLAST_LOAD(place.entry->held));
    struct ballast_destination* at = bpf_map_lookup_elem(&destinations, &index);
    const struct ballast_service* service = at ? ballast_row_of(at->service) : NULL;
    if (!service || service->keepalive.mode == BALLAST_MODE_OFF ||
        service->keepalive.kind == BALLAST_KEEPALIVE_OFF)
        return BALLAST_MODE_OFF;
    ballast_choose_keepalive(&service->keepalive, BALLAST_LOAD(at->keepalive_longest_ms),
                             BALLAST_LOAD(at->keepalive_died_ms), (__u32)cookie, wish);
    return ballast_over_limit(head, service->keepalive.mode, bpf_ktime_get_ns()) == BALLAST_REFUSE
               ? BALLAST_MODE_ENFORCE
               : BALLAST_MODE_OBSERVE;
}

#endif
