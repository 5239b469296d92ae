/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The part of the contract (abi.h, whose rules hold here too) that is about half-open flows. */
#ifndef BALLAST_BPF_ABI_SUSPICION_H
#define BALLAST_BPF_ABI_SUSPICION_H

#include "bpf/abi_breaker.h"

#define BALLAST_SUSPICIONS_SIZE (1024 * 1024) /* bytes: records of some 9,000 flows at once */

/* The event that made a flow suspect. */
enum ballast_suspicion_kind {
    BALLAST_SUSPICION_RETRANSMISSION = 0, /* one more, with nothing received meanwhile */
    BALLAST_SUSPICION_RESET = 1,          /* RST to what was outstanding, after silence */
    BALLAST_SUSPICION_TIMED_OUT = 2,      /* the kernel gave the flow up: ETIMEDOUT */
};

enum ballast_suspicion_flags {
    BALLAST_SUSPICION_INBOUND = 1,    /* accepted, not connected */
    BALLAST_SUSPICION_TAIL_PROBE = 2, /* the retransmission is a tail loss probe (RFC 8985) */
    BALLAST_SUSPICION_ORPHAN = 4,     /* its program has closed it */
    BALLAST_SUSPICION_SUBFLOW = 8,    /* of an MPTCP connection */
};

/* A flow is reported at this many timer retransmissions in a row, whatever else it receives. */
#define BALLAST_RETRANSMISSIONS_TELLING 3

/*
 * Ring buffer `suspicions`. Of a flow whose peer was silent for suspect_after: each retransmission
 * up to the one numbered suspect_until, an RST, its end by ETIMEDOUT. Of others: retransmissions
 * from the one numbered BALLAST_RETRANSMISSIONS_TELLING on.
 */
struct ballast_suspicion {
    __u64 cookie;
    __u64 bytes_acked;    /* by the peer, in its whole life */
    __u64 bytes_received; /* of data, in its whole life */
    __u64 now_ns;         /* CLOCK_MONOTONIC */
    __u8 local_address[16];
    __u8 remote_address[16];
    __u16 local_port;
    __u16 remote_port;
    __u32 netns;     /* inode number of its network namespace */
    __u32 interface; /* index of the one it is bound to; 0: none */
    __u32 packets_out;
    __u32 snd_wnd;
    __u32 silent_jiffies; /* since anything was received */
    __u32 try_jiffies;    /* between its last two tries; 0: not known */
    __u32 srtt_us;
    __u32 total_retrans; /* segments, in its whole life */
    __u32 data_segs_out;
    __u32 segment;    /* bytes of data in what was sent again; 0: not known */
    __u32 mss;        /* bytes of data in a full segment */
    __u32 mark;       /* SO_MARK */
    __u32 queued;     /* bytes written and not acknowledged */
    __u16 service;    /* of its reservation; 0: it has none */
    __u8 kind;        /* enum ballast_suspicion_kind */
    __u8 state;       /* TCP_ESTABLISHED = 1, _FIN_WAIT1 = 4, _CLOSE_WAIT = 8, _CLOSE = 7 */
    __u8 retransmits; /* by the retransmission timer in a row, with this one */
    __u8 backoff;     /* doublings of the RTO */
    __u8 probes;      /* of keepalive or of a zero window, unanswered */
    __u8 flags;       /* enum ballast_suspicion_flags */
};

BALLAST_ASSERT_SIZE(struct ballast_suspicion, 128);

#endif
