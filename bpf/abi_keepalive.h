/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The contract's part about keepalive; rules at the head of bpf/abi.h. */
#ifndef BALLAST_BPF_ABI_KEEPALIVE_H
#define BALLAST_BPF_ABI_KEEPALIVE_H

#include "bpf/abi_breaker.h"

#include <linux/types.h>

enum ballast_keepalive_kind {
    BALLAST_KEEPALIVE_OFF = 0,   /* applications' own stands */
    BALLAST_KEEPALIVE_AUTO = 1,  /* by what is known of the path */
    BALLAST_KEEPALIVE_FIXED = 2, /* as the policy says */
};

/* Part of a row of `services`. */
struct ballast_keepalive_rule {
    __u32 idle_ms;    /* auto: where nothing is known of the path; fixed: always; the most */
    __u16 interval_s; /* fixed */
    __u8 count;       /* fixed */
    __u8 kind;        /* enum ballast_keepalive_kind */
    __u8 mode;        /* enum ballast_mode */
    __u8 learn_ipv4;  /* auto: bits in which destinations agree that share a path; the daemon's */
    __u8 learn_ipv6;
    __u8 reserved;
    __u16 longest_s; /* auto: silence before a probe at the most, whatever is known; the daemon's */
    __u8 reserved_too[2];
};

/* The socket options that make up keepalive, in the order in which they have to be set. */
enum ballast_keepalive_option {
    BALLAST_KEEPALIVE_ON = 0,           /* SO_KEEPALIVE: 0 or 1 */
    BALLAST_KEEPALIVE_IDLE = 1,         /* TCP_KEEPIDLE, seconds */
    BALLAST_KEEPALIVE_INTERVAL = 2,     /* TCP_KEEPINTVL, seconds */
    BALLAST_KEEPALIVE_COUNT = 3,        /* TCP_KEEPCNT */
    BALLAST_KEEPALIVE_USER_TIMEOUT = 4, /* TCP_USER_TIMEOUT, milliseconds; 0: none */
    BALLAST_KEEPALIVE_OPTIONS = 5,
};

/* A socket's options; `chosen`: bits of those that an application has set. Where none has,
 * the value is the kernel's. */
struct ballast_keepalive {
    __u32 value[BALLAST_KEEPALIVE_OPTIONS];
    __u32 chosen;
};

/* Map `keepalives`, kept with the socket. */
struct ballast_kept_keepalive {
    __u32 set[BALLAST_KEEPALIVE_OPTIONS]; /* what Ballast wrote last */
    __u32 written;                        /* bits of the options that it ever wrote */
    struct ballast_keepalive own;         /* what they were before */
};

/* Why a connection does not have the keepalive that its service wishes. */
enum ballast_keepalive_lack {
    BALLAST_LACKS_NOTHING = 0,      /* or nothing is wished, or nothing would be tighter */
    BALLAST_LACKS_LEAVE = 1,        /* the guard only observes */
    BALLAST_LACKS_USER_TIMEOUT = 2, /* the program's TCP_USER_TIMEOUT would end it too soon */
    BALLAST_LACKS_PATIENCE = 3,     /* the program's probes, interval times count, would */
};

/* The source of a connection's keepalive settings. */
enum ballast_keepalive_setter {
    BALLAST_SET_BY_KERNEL = 0, /* or nobody: it is off */
    BALLAST_SET_BY_APPLICATION = 1,
    BALLAST_SET_BY_BALLAST = 2,
};

/* Part of a sweep's record of a socket: the settings in force. */
struct ballast_flow_keepalive {
    __u16 idle_s;
    __u16 interval_s;
    __u32 user_timeout_ms; /* 0: none */
    /* Since the first retransmission of what is unanswered; 0: nothing is, or it is not known. */
    __u32 trying_ms;
    __u8 count;
    __u8 on;
    __u8 setter; /* enum ballast_keepalive_setter */
    __u8 lack;   /* enum ballast_keepalive_lack */
};

BALLAST_ASSERT_SIZE(struct ballast_keepalive_rule, 16);
BALLAST_ASSERT_SIZE(struct ballast_keepalive, 24);
BALLAST_ASSERT_SIZE(struct ballast_kept_keepalive, 48);
BALLAST_ASSERT_SIZE(struct ballast_flow_keepalive, 16);

#endif
