/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accounts for one socket in a sweep, whichever iterator met it: describes it, marks its
 * reservation as seen, adopts it where a policy governs it and it has none, and moves the
 * reservation where the policy now names another service. All of it may be done again for the same
 * socket: the kernel runs an iterator's program a second time for one whose record no longer fitted
 * the reader's buffer (kernel/bpf/bpf_iter.c, bpf_seq_read()).
 */
#ifndef BALLAST_BPF_ACCOUNT_H
#define BALLAST_BPF_ACCOUNT_H

#include "bpf/breaker.h"
#include "bpf/counted.h"
#include "bpf/keepalive.h"
#include "bpf/lib/suspicion.h"
#include "bpf/places.h"
#include "bpf/socket.h"
#include "bpf/watch.h"

#include <bpf/bpf_endian.h>

/* include/net/inet_connection_sock.h */
#define ICSK_TIME_PROBE0 3

/* By a mask and not a comparison, of which 6.1's verifier forgets the outcome when the slot is read
 * from the stack again; the word behind the marks is unused. */
_Static_assert(sizeof(struct ballast_bucket_seen) == (BALLAST_BUCKET_WIDTH + 1) * sizeof(__u32),
               "a slot under the mask is within the marks");
BALLAST_INLINE void ballast_mark_seen(const struct ballast_place* place, __u32 sweep) {
    __u32 bucket = place->bucket;
    __u32* marks = bpf_map_lookup_elem(&seen, &bucket);
    if (marks)
        marks[place->slot & BALLAST_BUCKET_WIDTH] = sweep;
}

BALLAST_ONCE int ballast_sweep_release(__u64 cookie) {
    ballast_release(cookie, NULL);
    return 0;
}

/* Marks the socket's reservation as met. */
BALLAST_ONCE int ballast_sweep_mark(__u64 cookie, __u32 sweep) {
    struct ballast_place place = ballast_find_reservation(cookie);
    if (place.entry)
        ballast_mark_seen(&place, sweep);
    return 0;
}

BALLAST_INLINE const union ballast_address* ballast_remote_of(const struct ballast_flow* flow) {
    return (const union ballast_address*)flow->remote_address;
}

/* What accounting for a socket needs. */
struct ballast_subject {
    __u64 cookie;
    __u32 sweep;
    __u32 netns;
    struct ballast_who who; /* the cgroup that made the socket */
};

BALLAST_INLINE bool ballast_adopt(struct ballast_subject* subject, const struct ballast_flow* flow,
                                  const struct ballast_service* service) {
    struct ballast_places at = {};
    if (!ballast_find_places(&at, service, ballast_remote_of(flow), flow->remote_port,
                             &subject->who) ||
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
BALLAST_INLINE const struct ballast_service* ballast_service_now(const struct ballast_place* place,
                                                                 struct ballast_subject* subject) {
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
BALLAST_INLINE void ballast_enter_share(struct ballast_reservation* entry,
                                        const struct ballast_service* service,
                                        struct ballast_subject* subject) {
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
BALLAST_INLINE bool ballast_keep_reservation(const struct ballast_place* place,
                                             struct ballast_subject* subject,
                                             struct ballast_sweep_totals* sums) {
    if (!place->entry)
        return false;
    const struct ballast_service* service = ballast_service_now(place, subject);
    if (service) {
        ballast_mark_seen(place, subject->sweep);
        ballast_entry_confirm(place->entry); /* where SYN_SENT went unseen */
        ballast_enter_share(place->entry, service, subject);
        return true;
    }
    ballast_sweep_release(subject->cookie);
    ballast_count(&sums->moved);
    return false;
}

BALLAST_INLINE void ballast_account_new(struct sock_common* skc, struct ballast_flow* flow,
                                        const struct ballast_service* service,
                                        struct ballast_subject* subject,
                                        struct ballast_sweep_totals* sums) {
    subject->cookie = bpf_get_socket_cookie(skc);
    flow->cookie = subject->cookie;
    if (ballast_adopt(subject, flow, service)) {
        flow->flags |= BALLAST_FLOW_RESERVED | BALLAST_FLOW_ADOPTED;
        ballast_count(&sums->adopted);
    } else {
        flow->flags |= BALLAST_FLOW_UNTRACKED;
    }
}

BALLAST_INLINE void ballast_measure(struct tcp_sock* tp, struct ballast_flow* flow) {
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
    flow->mark = tp->inet_conn.icsk_inet.sk.sk_mark;
    flow->acked = (__u32)tp->bytes_acked;
    flow->queued = tp->write_seq - tp->snd_una;
    if (!tp->bytes_received)
        flow->signs |= BALLAST_FLOW_DEAF;
    if (ballast_is_subflow(tp))
        flow->signs |= BALLAST_FLOW_SUBFLOW;
    if (flow->retransmits && tp->retrans_stamp)
        flow->keepalive.trying_ms = (__u32)(bpf_ktime_get_ns() / 1000000) - tp->retrans_stamp;
    if (!ballast_may_be_half_open(flow->state))
        return;
    if (!tp->snd_wnd && tp->write_seq != tp->snd_una)
        flow->flags |= BALLAST_FLOW_ZERO_WINDOW;
    struct ballast_sending sending = {.unsent = tp->write_seq - tp->snd_nxt,
                                      .packets_out = tp->packets_out,
                                      .retrans_out = tp->retrans_out,
                                      .snd_wnd = tp->snd_wnd,
                                      .retransmits = flow->retransmits,
                                      .is_probing = tp->inet_conn.icsk_pending == ICSK_TIME_PROBE0};
    if (ballast_is_unsent(&sending))
        flow->signs |= BALLAST_FLOW_UNSENT;
    if (ballast_is_unanswered(tp->write_seq, tp->snd_una, tp->lsndtime, last_data))
        flow->flags |= BALLAST_FLOW_UNANSWERED;
    if (ballast_is_probing(tp->write_seq, tp->snd_una, flow->probes))
        flow->flags |= BALLAST_FLOW_PROBING;
}

BALLAST_INLINE void ballast_govern(struct sock_common* skc, struct tcp_sock* tp,
                                   struct ballast_flow* flow, const struct ballast_place* place,
                                   struct ballast_subject* subject,
                                   struct ballast_sweep_totals* sums) {
    struct ballast_control* head = BALLAST_FIRST(control);
    bool is_redirected = ballast_is_redirected(skc, tp);
    bool is_counted = !is_redirected && ballast_is_counted(tp);
    if (head && is_redirected)
        head->redirects = 1;
    if (place->entry && !is_counted)
        ballast_sweep_release(subject->cookie);
    bool kept = is_counted && ballast_keep_reservation(place, subject, sums);
    const struct ballast_service* service =
        ballast_find_service(ballast_remote_of(flow), flow->remote_port, &subject->who);
    flow->service = service ? service->service : 0;
    if (kept)
        flow->flags |= BALLAST_FLOW_RESERVED;
    else if (service && is_counted)
        ballast_account_new(skc, flow, service, subject, sums);
}

/* A new record, filled in without any lookup; NULL: a bug. */
BALLAST_INLINE struct ballast_flow* ballast_describe(struct sock_common* skc, struct tcp_sock* tp,
                                                     __u64 cookie) {
    struct ballast_flow* flow = BALLAST_FIRST(sweep_flow);
    if (!flow)
        return NULL;
    __builtin_memset(flow, 0, sizeof(*flow));
    flow->state = skc->skc_state;
    flow->netns = skc->skc_net.net->ns.inum;
    flow->interface = (__u32)skc->skc_bound_dev_if;
    flow->cookie = cookie;
    ballast_read_addresses(skc, flow->local_address, flow->remote_address);
    flow->local_port = skc->skc_num;
    flow->remote_port = bpf_ntohs(skc->skc_dport);
    ballast_measure(tp, flow);
    return flow;
}

BALLAST_INLINE void ballast_account(struct sock_common* skc, struct tcp_sock* tp,
                                    struct ballast_flow* flow, const struct ballast_control* head,
                                    struct ballast_sweep_totals* sums) {
    struct ballast_place place = {};
    if (flow->cookie)
        place = ballast_find_reservation(flow->cookie);
    __u64 cgroup = ballast_cgroup_of_socket(tp);
    bool is_governed = ballast_is_governed_cgroup(cgroup, head);
    if (!is_governed)
        flow->flags = BALLAST_FLOW_OUTSIDE; /* its wait is not checked here */
    if (!place.entry && ballast_is_inbound(tp, skc->skc_family)) {
        flow->flags |= BALLAST_FLOW_INBOUND;
    } else if (flow->state != TCP_CLOSE && is_governed) {
        struct ballast_subject subject = {
            .cookie = flow->cookie, .sweep = head->sweep, .netns = flow->netns};
        subject.who.cgroup.address = cgroup;
        subject.who.cgroup.id = BPF_CORE_READ((struct cgroup*)cgroup, kn, id);
        ballast_govern(skc, tp, flow, &place, &subject, sums);
    }
}

/* The keepalive that the policy wishes for it, as a mode. */
BALLAST_INLINE int ballast_wish_for(const struct ballast_flow* flow,
                                    struct ballast_keepalive_wish* wish) {
    return flow->flags & BALLAST_FLOW_RESERVED ? ballast_wish_keepalive(flow->cookie, wish)
                                               : BALLAST_MODE_OFF;
}

/* Enters what keepalive is in force and whose it is. */
BALLAST_INLINE void ballast_show_keepalive(struct ballast_flow* flow, const __u32* in_force,
                                           __u8 setter) {
    struct ballast_flow_keepalive* shown = &flow->keepalive;
    shown->setter = setter;
    shown->on = (__u8)in_force[BALLAST_KEEPALIVE_ON];
    shown->idle_s = (__u16)in_force[BALLAST_KEEPALIVE_IDLE];
    shown->interval_s = (__u16)in_force[BALLAST_KEEPALIVE_INTERVAL];
    shown->count = (__u8)in_force[BALLAST_KEEPALIVE_COUNT];
    shown->user_timeout_ms = in_force[BALLAST_KEEPALIVE_USER_TIMEOUT];
}

/* Why it does not have what the policy wishes, where none of its options is Ballast's. Overwrites
 * look->force. */
BALLAST_INLINE __u8 ballast_lack_of(struct ballast_keepalive_look* look,
                                    const struct ballast_keepalive_wish* wish, int mode) {
    if (mode != BALLAST_MODE_OBSERVE)
        return (__u8)look->lack;
    look->is_granted = true;
    return ballast_decide_keepalive(look, wish) ? BALLAST_LACKS_LEAVE : (__u8)look->lack;
}

#endif
