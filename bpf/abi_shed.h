/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What the daemon and bpf/shed.bpf.c, which looks at SYNs as they come in by a NIC, say to each
 * other. Byte order and addresses: as in bpf/abi.h. Parts of a whole are in parts per billion, so
 * that a chance and a share multiply without loss.
 */
#ifndef BALLAST_BPF_ABI_SHED_H
#define BALLAST_BPF_ABI_SHED_H

#include <linux/types.h>

#define BALLAST_WHOLE 1000000000u

#define BALLAST_SHED_ROWS 32 /* [[listener]] entries of a policy, and row 0, which is none's */
#define BALLAST_MAX_SHED_RULES                                                                     \
    64 /* rows of two policies: the next is written beside the one in force */
#define BALLAST_MAX_GUARDED 1024  /* elements of `on` */
#define BALLAST_MAX_SPARED 4096   /* elements of `spare` */
#define BALLAST_SOURCE_ROWS 3     /* of the sketch of sources */
#define BALLAST_SOURCE_CELLS 8192 /* of a row; a power of 2 */

/* Key of map `shed_guarded`: where a SYN goes. An address of zeros: to any. */
struct ballast_guarded_key {
    __u8 address[16];
    __u16 port; /* host byte order */
    __u16 zero;
};

enum ballast_shed_action {
    BALLAST_SHED_RST = 0,
    BALLAST_SHED_DROP = 1,
};

/* One [[listener]], an element of map `shed_rules`. */
struct ballast_shed_rule {
    __u8 mode;        /* enum ballast_mode */
    __u8 action;      /* enum ballast_shed_action */
    __u8 source_ipv4; /* leading bits of an address that make a source */
    __u8 source_ipv6;
    __u32 low;       /* part of the accept queue from which on SYNs are shed */
    __u32 high;      /* and from which on all are */
    __u32 reserve;   /* part of the accept queue that is kept for `spare` */
    __u32 share;     /* most of what is admitted that one source may have under pressure; 0: any */
    __u32 target_us; /* age of the oldest in the accept queue that is aimed at; 0: any */
    __u64 interval_ns;      /* for how long it is older before SYNs are shed for that */
    __u64 rate_interval_ns; /* 10^9 / max_rate; 0: any rate */
    __u64 rate_burst_ns;
};

/* Key of map `shed_spared`: a rule, and a prefix of sources. */
struct ballast_spared_key {
    __u32 prefix_length; /* 32 and the bits of the address */
    __u32 rule;          /* as it is in memory: it is matched whole */
    __u8 address[16];
};

/* What became of a SYN, and why. */
enum ballast_shed_verdict {
    BALLAST_SYN_ADMITTED,
    BALLAST_SYN_SPARED,     /* admitted, since it is of a prefix that is spared */
    BALLAST_SYN_SHED_AGE,   /* the oldest in the accept queue is too old */
    BALLAST_SYN_SHED_DEPTH, /* too many are in it */
    BALLAST_SYN_SHED_SHARE, /* its source has had more than its share */
    BALLAST_SYN_SHED_RATE,  /* over max_rate */
    BALLAST_SYN_UNDECIDED,  /* passed: a fragment, IPv6 extension headers, a socket in TIME_WAIT */
    BALLAST_SYN_VERDICTS,
};

/* Of one rule, on one CPU. */
struct ballast_shed_counts {
    __u64 syns[BALLAST_SYN_VERDICTS]; /* by enum ballast_shed_verdict */
    __u64 withheld;   /* of those shed: passed nevertheless, since the rule does not enforce, the
                         kill switch is on, or the daemon has been silent for its grace */
    __u64 guessed;    /* judged by the least full member of a group that a program chooses from */
    __u64 unanswered; /* dropped, since no RST could be made of it */
};

/* A rule's own, for all sources together. Windows: bpf/lib/window.h. */
struct ballast_shed_state {
    __u64 tat_ns;   /* of max_rate (bpf/lib/rate.h) */
    __u64 largest;  /* window: the most SYNs of one source */
    __u64 admitted; /* window: SYNs admitted */
};

/* Kept with a listening socket. */
struct ballast_shed_socket {
    __u64 updated_ns;    /* CLOCK_MONOTONIC; 0: never */
    __u64 over_since_ns; /* when age was first over its target, and has been since; 0: it is not */
    __u64 rate;          /* of accept(), in 1024ths a second, by the last quarter of one */
    __u32 chance;        /* of a SYN to be shed for age */
    __u32 depth;         /* of the accept queue, as of the last update */
    __u32 least_us;      /* the least age since then */
    __u32 entered;       /* SYNs that were passed since then */
};

#endif
