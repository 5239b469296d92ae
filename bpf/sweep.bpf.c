// SPDX-License-Identifier: GPL-2.0
/*
 * The sweep: visits every TCP socket of one network namespace with the socket locked
 * (net/ipv4/tcp_ipv4.c, bpf_iter_tcp_seq_show()). For each outbound
 * connection that a policy governs it marks the reservation as seen, adopts the socket where it has
 * none, moves the reservation where the policy now names another service, and sets or gives back
 * its keepalive. Emits one record a socket. May meet a socket twice or miss one when a bucket
 * changes under it (fixed in 6.17), so everything it does is idempotent. Until then it may also
 * miss a whole bucket, unless somebody listens in a certain place, which is why the daemon does
 * (daemon/kernel/iterator_listener.h).
 */
#include "bpf/breaker.h"
#include "bpf/keepalive.h"
#include "bpf/lib/suspicion.h"
#include "bpf/places.h"
#include "bpf/socket.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

/* The record under construction: the stack is needed for what the programs call. One sweep runs at
 * a time, so there is one. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ballast_flow);
} sweep_flow SEC(".maps");

BALLAST_INLINE void mark_seen(const struct ballast_place* place, __u32 sweep) {
    __u32 bucket = place->bucket;
    struct ballast_bucket_seen* marks = bpf_map_lookup_elem(&seen, &bucket);
    if (marks && place->slot < BALLAST_BUCKET_WIDTH)
        marks->sweep[place->slot] = sweep;
}

BALLAST_ONCE int ballast_sweep_release(__u64 cookie) {
    ballast_release(cookie);
    return 0;
}

/* Marks the socket's reservation as met. */
BALLAST_ONCE int ballast_sweep_mark(__u64 cookie, __u32 sweep) {
    struct ballast_place place = ballast_find_reservation(cookie);
    if (place.entry)
        mark_seen(&place, sweep);
    return 0;
}

BALLAST_INLINE const union ballast_address* remote_of(const struct ballast_flow* flow) {
    return (const union ballast_address*)flow->remote_address;
}

/* What a socket needs to be accounted for. */
struct subject {
    __u64 cookie;
    __u32 sweep;
    __u32 netns;
    struct ballast_who who; /* the cgroup that made the socket */
};

BALLAST_INLINE bool adopt(struct subject* subject, const struct ballast_flow* flow,
                          const struct ballast_service* service) {
    struct ballast_places at = {};
    if (!ballast_find_places(&at, service, remote_of(flow), flow->remote_port, &subject->who) ||
        !ballast_take_beyond(&at))
        return false;
    if (!ballast_insert_reservation(subject->cookie, at.held, subject->netns)) {
        ballast_give_back_held(at.held);
        return false;
    }
    ballast_count(&at.destination->adopted);
    at.destination->last_use_ns = bpf_ktime_get_ns();
    ballast_sweep_mark(subject->cookie, subject->sweep);
    return true;
}

/* The service that the policy in force has for the destination the socket asked for when it
 * connected, which another program may have rewritten since, and for who connected it. */
BALLAST_INLINE const struct ballast_service* service_now(const struct ballast_place* place,
                                                         struct subject* subject) {
    __u32 held = BALLAST_LOAD(place->entry->held);
    __u32 index = ballast_held_destination(held);
    struct ballast_destination* destination = bpf_map_lookup_elem(&destinations, &index);
    if (!destination)
        return NULL;
    if (ballast_held_consumer(held)) {
        subject->who.consumer = ballast_held_consumer(held);
        subject->who.looked = 1;
    }
    const struct ballast_service* service = ballast_find_service(
        (const union ballast_address*)destination->address, destination->port, &subject->who);
    return service && service->service == destination->service ? service : NULL;
}

/* A share that its service asks for since after the connection was opened. */
BALLAST_INLINE void add_share(struct ballast_reservation* entry,
                              const struct ballast_service* service, struct subject* subject) {
    __u32 held = BALLAST_LOAD(entry->held);
    if (service->max_per_consumer == BALLAST_UNLIMITED || (held & BALLAST_HELD_SHARE))
        return;
    __u32 consumer = ballast_who_is_it(&subject->who);
    struct ballast_share* share =
        consumer ? ballast_share_of(ballast_held_destination(held), consumer) : NULL;
    if (!share)
        return;
    __sync_fetch_and_add(&share->in_use, 1);
    if (!ballast_entry_change(entry, held,
                              (held & ~BALLAST_HELD_CONSUMER) | BALLAST_HELD_SHARE |
                                  (consumer << BALLAST_HELD_CONSUMER_SHIFT)))
        ballast_give_back_count(&share->in_use);
}

/* The socket's reservation if it is still the right one; one that is not, is released. */
BALLAST_INLINE bool keep_reservation(const struct ballast_place* place, struct subject* subject,
                                     struct ballast_sweep_totals* sums) {
    if (!place->entry)
        return false;
    const struct ballast_service* service = service_now(place, subject);
    if (service) {
        mark_seen(place, subject->sweep);
        ballast_entry_confirm(place->entry); /* where SYN_SENT went unseen */
        add_share(place->entry, service, subject);
        return true;
    }
    ballast_sweep_release(subject->cookie);
    ballast_count(&sums->moved);
    return false;
}

BALLAST_INLINE void account(struct sock_common* skc, struct ballast_flow* flow,
                            const struct ballast_service* service, struct subject* subject,
                            struct ballast_sweep_totals* sums) {
    subject->cookie = bpf_get_socket_cookie(skc);
    flow->cookie = subject->cookie;
    if (adopt(subject, flow, service)) {
        flow->flags |= BALLAST_FLOW_RESERVED | BALLAST_FLOW_ADOPTED;
        ballast_count(&sums->adopted);
    } else {
        flow->flags |= BALLAST_FLOW_UNTRACKED;
        ballast_count(&sums->untracked);
    }
}

BALLAST_INLINE void measure(struct tcp_sock* tp, struct ballast_flow* flow) {
    flow->rtt_us = tp->srtt_us >> 3;
    __u32 last_data = tp->inet_conn.icsk_ack.lrcvtime;
    __u32 now = (__u32)bpf_jiffies64();
    flow->idle_jiffies = ballast_silence(now, tp->rcv_tstamp, last_data);
    flow->heard_jiffies = ballast_shorter(flow->idle_jiffies, now - tp->last_oow_ack_time);
    flow->quiet_jiffies = ballast_shorter(flow->heard_jiffies, now - tp->lsndtime);
    flow->packets_in = tp->segs_in;
    flow->packets_out = tp->segs_out;
    flow->probes = tp->inet_conn.icsk_probes_out;
    flow->retransmits = tp->inet_conn.icsk_retransmits;
    if (!ballast_may_be_half_open(flow->state))
        return;
    if (!tp->snd_wnd && tp->write_seq != tp->snd_una)
        flow->flags |= BALLAST_FLOW_ZERO_WINDOW;
    if (ballast_is_unanswered(tp->write_seq, tp->snd_una, tp->lsndtime, last_data))
        flow->flags |= BALLAST_FLOW_UNANSWERED;
    if (ballast_is_probing(tp->write_seq, tp->snd_una, flow->probes))
        flow->flags |= BALLAST_FLOW_PROBING;
}

BALLAST_INLINE void govern(struct sock_common* skc, struct ballast_flow* flow,
                           const struct ballast_place* place, struct subject* subject,
                           struct ballast_sweep_totals* sums) {
    bool kept = keep_reservation(place, subject, sums);
    const struct ballast_service* service =
        ballast_find_service(remote_of(flow), flow->remote_port, &subject->who);
    flow->service = service ? service->service : 0;
    if (kept)
        flow->flags |= BALLAST_FLOW_RESERVED;
    else if (service)
        account(skc, flow, service, subject, sums);
}

/* Its keepalive: what the policy wishes where it may be done, else what the application had. */
static __attribute__((noinline)) int keep_alive(struct sock_common* skc, struct ballast_flow* flow,
                                                struct ballast_sweep_totals* sums) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(skc);
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!tp || !head || !flow || !sums || !ballast_may_keep_alive(skc))
        return 0;
    struct ballast_keepalive_wish wish = {};
    struct ballast_keepalive_look look = {};
    int mode = flow->flags & BALLAST_FLOW_RESERVED ? ballast_wish_keepalive(flow->cookie, &wish)
                                                   : BALLAST_MODE_OFF;
    __u32 ours = ballast_keep_alive(skc, skc, tp, BALLAST_LOAD(head->ticks_per_second), &wish,
                                    mode == BALLAST_MODE_ENFORCE, &look);
    struct ballast_flow_keepalive* shown = &flow->keepalive;
    shown->setter = ballast_keepalive_setter(&look.own, ours);
    shown->on = (__u8)look.force[BALLAST_KEEPALIVE_ON];
    shown->idle_s = look.force[BALLAST_KEEPALIVE_IDLE];
    shown->interval_s = look.force[BALLAST_KEEPALIVE_INTERVAL];
    shown->count = (__u8)look.force[BALLAST_KEEPALIVE_COUNT];
    shown->user_timeout_ms = look.force[BALLAST_KEEPALIVE_USER_TIMEOUT];
    if (ours)
        ballast_count(&sums->kept_alive);
    else if (mode == BALLAST_MODE_OBSERVE &&
             ballast_tighten(&look.own, &wish, true, look.give_up_ms, look.force)) {
        shown->wanted = 1;
        ballast_count(&sums->keepalive_wanted);
    }
    return 0;
}

BALLAST_INLINE void visit(struct sock_common* skc, struct seq_file* seq,
                          const struct ballast_control* head, struct ballast_sweep_totals* sums) {
    struct tcp_sock* tp = bpf_skc_to_tcp_sock(skc);
    if (!tp)
        return;
    struct ballast_flow* flow = BALLAST_FIRST(sweep_flow);
    if (!flow)
        return;
    __builtin_memset(flow, 0, sizeof(*flow));
    flow->state = skc->skc_state;
    flow->netns = skc->skc_net.net->ns.inum;
    flow->interface = (__u32)skc->skc_bound_dev_if;
    flow->cookie = (__u64)skc->skc_cookie.counter;
    ballast_read_addresses(skc, flow->local_address, flow->remote_address);
    flow->local_port = skc->skc_num;
    flow->remote_port = bpf_ntohs(skc->skc_dport);
    measure(tp, flow);
    struct ballast_place place = {};
    if (flow->cookie)
        place = ballast_find_reservation(flow->cookie);
    __u64 cgroup = ballast_cgroup_of_socket(tp);
    bool is_governed = ballast_is_governed_cgroup(cgroup, head);
    if (!is_governed)
        flow->flags = BALLAST_FLOW_OUTSIDE; /* nobody here asks what it waits for */
    if (!place.entry && ballast_is_inbound(tp, skc->skc_family)) {
        flow->flags |= BALLAST_FLOW_INBOUND;
    } else if (flow->state != TCP_CLOSE && is_governed) {
        struct subject subject = {
            .cookie = flow->cookie, .sweep = head->sweep, .netns = flow->netns};
        subject.who.cgroup.address = cgroup;
        subject.who.cgroup.id = BPF_CORE_READ((struct cgroup*)cgroup, kn, id);
        govern(skc, flow, &place, &subject, sums);
    }
    keep_alive(skc, flow, sums);
    if (flow->flags & (BALLAST_FLOW_ZERO_WINDOW | BALLAST_FLOW_PROBING))
        flow->cookie = bpf_get_socket_cookie(skc); /* the daemon follows it */
    ballast_count(&sums->sockets);
    bpf_seq_write(seq, flow, sizeof(*flow));
}

SEC("iter/tcp")
int ballast_sweep(struct bpf_iter__tcp* ctx) {
    struct sock_common* skc = ctx->sk_common;
    struct ballast_control* head = BALLAST_FIRST(control);
    struct ballast_sweep_totals* sums = BALLAST_FIRST(sweep_totals);
    if (!skc || !head || !sums)
        return 0;
    switch (skc->skc_state) {
    case TCP_TIME_WAIT:
        ballast_count(&sums->time_wait);
        return 0;
    case TCP_NEW_SYN_RECV:
    case TCP_LISTEN:
        return 0;
    default:
        visit(skc, ctx->meta->seq, head, sums);
        return 0;
    }
}
