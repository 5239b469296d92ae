/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A fair share of a table for everybody who fills it: a consumer may take a row while it has no
 * more than three times as many as are free. One alone gets three quarters, so a port scan leaves
 * the rest to the others, and what several take leaves something for the next (the dynamic
 * threshold of switches' buffers). Consumers are told apart by a hash of 255 values. The counts are
 * approximate while rows are taken and given back at once.
 */
#ifndef BALLAST_BPF_LIB_FAIR_H
#define BALLAST_BPF_LIB_FAIR_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

/* So many times what is free. */
#define BALLAST_FAIR_TIMES 3u

/* 1..255: whose rows a cgroup's are counted with. */
BALLAST_INLINE __u32 ballast_fair_maker(__u32 cgroup) {
    return (cgroup * 0x9e3779b1u >> 16) % (BALLAST_MAKERS - 1) + 1;
}

/* Whether `maker` may take one more row of a table of `rows`, of which it has one then. */
BALLAST_INLINE bool ballast_fair_take(__u32* of, __u32 maker, __u32 rows) {
    __u32 all = BALLAST_LOAD(of[0]);
    __u32* own = &of[ballast_bounded(maker, BALLAST_MAKERS)];
    __u32 left = all < rows ? rows - all : 0;
    if (BALLAST_LOAD(*own) > BALLAST_FAIR_TIMES * left)
        return false;
    __sync_fetch_and_add(own, 1);
    __sync_fetch_and_add(&of[0], 1);
    return true;
}

/* One row less. Maker 0 is nobody in particular. */
BALLAST_INLINE void ballast_fair_give(__u32* of, __u32 maker) {
    __u32* own = &of[ballast_bounded(maker, BALLAST_MAKERS)];
    if (maker && BALLAST_LOAD(*own))
        __sync_fetch_and_sub(own, 1);
    if (BALLAST_LOAD(of[0]))
        __sync_fetch_and_sub(&of[0], 1);
}

#endif
