/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The part of the contract (abi.h, whose rules hold here too) that is about breakers. */
#ifndef BALLAST_BPF_ABI_BREAKER_H
#define BALLAST_BPF_ABI_BREAKER_H

#include <linux/types.h>

#define BALLAST_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#ifdef __cplusplus
#undef BALLAST_ASSERT_SIZE
#define BALLAST_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#endif

/* Why a connection counts as failed. */
enum ballast_failure {
    BALLAST_FAILURE_TIMED_OUT = 0,   /* no answer to any SYN */
    BALLAST_FAILURE_REFUSED = 1,     /* RST in answer to the SYN */
    BALLAST_FAILURE_UNREACHABLE = 2, /* ICMP, or no neighbour */
    BALLAST_FAILURE_SLOW = 3,        /* established, but later than slow_connect_ms */
    BALLAST_FAILURE_RESET = 4,       /* RST within reset_within_ms of establishment */
    BALLAST_FAILURE_HALF_OPEN_FLOW = 5,
    BALLAST_FAILURES = 6,
};

/* What a breaker counts: failures by kind, and behind them the connects that were established. */
#define BALLAST_BREAKER_SUCCESS BALLAST_FAILURES
#define BALLAST_BREAKER_COUNTS (BALLAST_FAILURES + 1)

/* How a service's breakers behave; part of struct ballast_service. */
struct ballast_breaker_limits {
    __u32 window_ms;       /* sliding; in BALLAST_BREAKER_SLOTS parts */
    __u32 slow_connect_ms; /* 0: no connect is slow */
    __u32 reset_within_ms; /* 0: no reset is early */
    __u32 open_for_ms;     /* first time; doubles with each time in a row */
    __u32 open_max_ms;
    __u32 ramp_ms;                      /* 0: the full limit at once */
    __u16 thresholds[BALLAST_FAILURES]; /* least failures of a kind that open; 0: it is ignored */
    __u16 probes;                       /* admitted at a time, and needed to close */
    __u8 ramp_start;                    /* percent of the limit when the ramp begins */
    __u8 mode;                          /* enum ballast_mode */
    __u8 failure_percent; /* least part of the attempts that has to fail; 0: whatever part */
    __u8 reserved[7];
};

#define BALLAST_CONNECTED_PLACES 4096 /* a power of two */
#define BALLAST_BREAKER_SLOTS 8
#define BALLAST_MAX_BREAKERS 8192        /* destinations that have failed; index 0 means "none" */
#define BALLAST_EVENTS_SIZE (256 * 1024) /* bytes */

enum ballast_breaker_state {
    BALLAST_BREAKER_CLOSED = 0,
    BALLAST_BREAKER_OPEN = 1,
    BALLAST_BREAKER_HALF_OPEN = 2,
    BALLAST_BREAKER_RAMP = 3, /* closed, with a limit that grows back */
};

/* Consumers that a breaker tells apart; where more take part, those that were last seen. */
#define BALLAST_BREAKER_PARTIES 8

/* One consumer's part in a breaker's window. Times are in units of BALLAST_PARTY_MS, 0: never. */
struct ballast_breaker_party {
    __u64 who;       /* cgroup's inode number << 32 | that of the network namespace; 0: nobody */
    __u32 failed;    /* when it last failed to connect */
    __u32 succeeded; /* when it last connected */
};

/* A state that a person or the governor forces on the breaker. */
enum ballast_breaker_force {
    BALLAST_FORCE_NONE = 0,
    BALLAST_FORCE_OPEN = 1,
    BALLAST_FORCE_CLOSED = 2,
};

/*
 * Map `breakers`: one for each destination that has failed or is forced. Deciding fields are
 * changed by atomics only; lib/breaker.h defines them. Times are CLOCK_MONOTONIC.
 */
struct ballast_breaker {
    __u64 word;            /* state, level of back-off, generation, scope, deadline */
    __u64 probes;          /* of the half-open period under way */
    __u64 since_ms;        /* of the last change of state, for people */
    __u64 forced_until_ms; /* 0: until taken back */
    __u32 forced;          /* enum ballast_breaker_force */
    __s32 last_error;      /* errno of the last failure; 0: it had none */
    __u64 opened;          /* times the breaker opened */
    __u64 withheld;        /* times it would have, but had no budget or was held closed */
    __u32 counts[BALLAST_BREAKER_COUNTS][BALLAST_BREAKER_SLOTS];
    __u64 newest;    /* where in the window the last count went (lib/breaker_window.h) */
    __u32 used;      /* connections at a time before it began to fail */
    __u32 ramp_base; /* what a ramp begins with at least: what was used before, and what is held */
    __u32 destination; /* index of the destination */
    __u32 in_use;      /* 0: index is free */
    struct ballast_breaker_party parties[BALLAST_BREAKER_PARTIES];
    __u32 maker;        /* whose table space it takes (lib/fair.h) */
    __u32 last_failure; /* when, as struct ballast_breaker_party */
    __u32 born;         /* when it was made, likewise */
    __u32 reserved[13];
    char forced_by[32]; /* who forced it and why, for people; NUL-terminated */
    char forced_reason[96];
};

/* Map `makers`, one element: rows of `destinations` and of `breakers` by who made them, a hash of
 * the cgroup (lib/fair.h); the first is of all. */
#define BALLAST_MAKERS 256
struct ballast_makers {
    __u32 destinations[BALLAST_MAKERS];
    __u32 breakers[BALLAST_MAKERS];
};

/* Ring buffer `events`: a breaker changed its state, or would have. */
struct ballast_event {
    __u64 now_ms;      /* CLOCK_MONOTONIC */
    __u64 deadline_ms; /* of the state it is in now; 0: none */
    __u8 address[16];
    __u16 port;
    __u16 service;
    __u32 destination;
    __u8 from; /* enum ballast_breaker_state */
    __u8 to;
    __u8 level;    /* of the back-off */
    __u8 withheld; /* 1: it stayed in `from`, without budget or held closed */
    __s32 last_error;
    __u32 counts[BALLAST_FAILURES]; /* of the window, where it opened or was withheld */
    __u8 mode;                      /* enum ballast_mode of the breaker */
    __u8 scope;                     /* as in the word; 0: it refuses everybody */
    __u8 reserved[2];
    __u32 established; /* connects in the window, as `counts` */
    __u64 who;         /* whose failure opened it, as struct ballast_breaker_party has it */
    __u64 reserved_too;
};

BALLAST_ASSERT_SIZE(struct ballast_breaker_limits, 48);
BALLAST_ASSERT_SIZE(struct ballast_breaker_party, 16);
BALLAST_ASSERT_SIZE(struct ballast_makers, 2048);
BALLAST_ASSERT_SIZE(struct ballast_breaker, 624);
BALLAST_ASSERT_SIZE(struct ballast_event, 96);

#endif
