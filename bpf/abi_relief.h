/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What bpf/relief.bpf.c does for destinations that a source runs out of local ports for. Its maps
 * and links belong to the daemon that loaded them and end with it, so this is not part of the ABI
 * version. Byte order and addresses: as in bpf/abi.h.
 */
#ifndef BALLAST_BPF_ABI_RELIEF_H
#define BALLAST_BPF_ABI_RELIEF_H

#include <linux/types.h>

#define BALLAST_MAX_RELIEVED 1024
#define BALLAST_MAX_SOURCES 15
#define BALLAST_MAX_PORTLESS 4096 /* map `portless`, which admission has too */

struct ballast_relief_key {
    __u64 netns_cookie;
    __u8 remote[16];
    __u16 remote_port;
    __u16 pad[3];
};

/* What is done, any of them. */
#define BALLAST_RELIEF_OWN_RANGE 1u
#define BALLAST_RELIEF_SPREAD 2u
#define BALLAST_RELIEF_REFUSE 4u

/* Written by the daemon alone. */
struct ballast_relief {
    __u8 source[16]; /* of the tuple, which the route chooses */
    __u32 what;      /* BALLAST_RELIEF_... */
    __u16 low;       /* own_range: ports outside ip_local_port_range that nobody has bound */
    __u16 high;
    __u64 refuse_ns; /* refuse: how long, after a connect() has found no port */
    __u32 sources;   /* spread: how many of these, besides that of the route */
    __u32 pad;
    __u8 pool[BALLAST_MAX_SOURCES][16];
};

/* Written by the programs alone. */
struct ballast_relief_state {
    __u64 refuse_until; /* CLOCK_MONOTONIC, ns */
    __u64 exhausted;    /* connects that found no port */
    __u64 refused;
    __u64 given;  /* ports of the own range */
    __u64 missed; /* connects that none was found for, which the kernel then chose one for */
    __u64 spread;
    __u32 cursor; /* of the own range */
    __u32 turn;   /* of the pool */
};

#endif
