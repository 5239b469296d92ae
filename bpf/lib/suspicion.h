/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The events of a flow by which the daemon finds out that it is half-open. Times are jiffies of
 * 32 bits, which wrap: only differences count.
 *
 * Invariants
 * S1. A flow whose peer was heard from within suspect_after is not reported, unless data is still
 *     unacknowledged after BALLAST_RETRANSMISSIONS_TELLING retransmissions.
 * S2. A flow that cannot be half-open (not yet or no longer established) is not reported.
 * S3. At most suspect_until retransmissions of the timer are reported for one silence.
 */
#ifndef BALLAST_BPF_LIB_SUSPICION_H
#define BALLAST_BPF_LIB_SUSPICION_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

BALLAST_INLINE __u32 ballast_shorter(__u32 a, __u32 b) {
    return a < b ? a : b;
}

/* Since the peer was last heard from: by an acknowledgement or by data, whichever was later. */
BALLAST_INLINE __u32 ballast_silence(__u32 now, __u32 last_ack, __u32 last_data) {
    return ballast_shorter(now - last_ack, now - last_data);
}

/* ESTABLISHED, FIN_WAIT1, CLOSE_WAIT: where data may wait to be acknowledged. */
BALLAST_INLINE bool ballast_may_be_half_open(__u32 state) {
    return state == 1 || state == 4 || state == 8;
}

/* Conditions of every suspicion (S1, S2). */
BALLAST_INLINE bool ballast_is_suspect(const struct ballast_control* control, __u32 state,
                                       __u32 silence) {
    return BALLAST_LOAD(control->suspect_until) && ballast_may_be_half_open(state) &&
           silence >= BALLAST_LOAD(control->suspect_after);
}

/* retransmits: of the timer in a row, with this one; 0: a tail loss probe (S3). */
BALLAST_INLINE bool ballast_tells_retransmission(const struct ballast_control* control, __u32 state,
                                                 __u32 silence, __u32 retransmits) {
    bool is_stuck = retransmits >= BALLAST_RETRANSMISSIONS_TELLING;
    return ballast_is_suspect(control, state, is_stuck ? ~0U : silence) &&
           retransmits <= BALLAST_LOAD(control->suspect_until);
}

/* An RST in answer to data sent after a silence, or to a probe of keepalive. */
BALLAST_INLINE bool ballast_tells_reset(const struct ballast_control* control, __u32 state,
                                        __u32 silence, __u32 unanswered) {
    return unanswered && ballast_is_suspect(control, state, silence);
}

/*
 * The end of a flow that the kernel gave up. Since Linux 6.11 it is closed before the error report
 * (net/ipv4/tcp_input.c, tcp_done_with_error()); a connect() that timed out has received nothing.
 */
BALLAST_INLINE bool ballast_tells_end(const struct ballast_control* control, __u32 state,
                                      __u32 silence, bool was_established) {
    return ballast_is_suspect(control, state == 7 && was_established ? 1 : state, silence);
}

/* A flow's last two tries; all in jiffies. */
struct ballast_tries {
    __u32 kind; /* enum ballast_suspicion_kind */
    __u32 retransmits;
    __u32 rto;
    __u32 since_sent; /* data, for the first time or again */
    __u32 snd_wnd;
    __u32 keepalive; /* between two probes */
};

/*
 * Time between the last two tries, rather too short than too long; 0: not known. Where the kernel
 * gave a flow up, its end counts as a try: what was tried last before was data, or a probe of a
 * shut window, which go out an RTO apart or more, or a keepalive probe.
 */
BALLAST_INLINE __u32 ballast_between_tries(const struct ballast_tries* tries) {
    if (tries->kind == BALLAST_SUSPICION_RETRANSMISSION)
        return tries->retransmits ? tries->rto : 0;
    if (tries->kind != BALLAST_SUSPICION_TIMED_OUT)
        return 0;
    if (tries->retransmits)
        return tries->since_sent;
    return tries->snd_wnd ? tries->keepalive : tries->rto;
}

/* All that was written is acknowledged, and the peer has sent no data since it was sent. */
BALLAST_INLINE bool ballast_is_unanswered(__u32 written, __u32 acknowledged, __u32 last_sent,
                                          __u32 last_data) {
    return written == acknowledged && (__s32)(last_sent - last_data) > 0;
}

/* What decides whether this host sends; of the socket's sequence numbers and timers. */
struct ballast_sending {
    __u32 unsent;      /* bytes never sent */
    __u32 packets_out; /* segments sent and not acknowledged */
    __u32 retrans_out; /* of these, sent again */
    __u32 snd_wnd;
    __u32 retransmits; /* timeouts in a row */
    bool is_probing;   /* the timer of a zero window runs */
};

/*
 * This host itself does not send: where there is no route, no address or no permission the packet
 * is refused below TCP, and TCP tries again by the timer that else probes a shut window
 * (net/ipv4/tcp_output.c, tcp_check_probe_timer()). What had been under way before is counted as
 * sent again only where that could be sent (tcp_retransmit_skb()). A moment of this is ordinary;
 * that it lasts is for the reader to find out.
 */
BALLAST_INLINE bool ballast_is_unsent(const struct ballast_sending* sending) {
    if (!sending->snd_wnd)
        return false;
    if (sending->packets_out)
        return sending->retransmits >= 2 && !sending->retrans_out;
    return sending->unsent && sending->is_probing;
}

/*
 * Keepalive gets no answer. The kernel counts its probes with those of a shut window, which go out
 * only where something waits to be sent; a single one may just be on its way.
 */
BALLAST_INLINE bool ballast_is_probing(__u32 written, __u32 acknowledged, __u32 probes) {
    return written == acknowledged && probes >= BALLAST_PROBES_TELLING;
}

#endif
