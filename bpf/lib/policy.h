/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Pure decisions of the policy: which row governs a port, and what a full destination means. */
#ifndef BALLAST_BPF_LIB_POLICY_H
#define BALLAST_BPF_LIB_POLICY_H

#include <linux/errno.h>

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

/*
 * Row of `services` for `port` (host byte order) under `rule`; 0: none. Binary search by halved
 * steps for the last span that begins at or before the port; the mask keeps the verifier content.
 */
BALLAST_INLINE __u16 ballast_port_row(const struct ballast_prefix_rule* rule, __u16 port) {
    __u32 count = rule->span_count;
    __u32 at = 0;
    if (count == 1)
        return rule->spans[0].row;
    for (__u32 step = BALLAST_MAX_PORT_SPANS / 2; step; step /= 2) {
        __u32 next = (at + step) & (BALLAST_MAX_PORT_SPANS - 1);
        if (next < count && rule->spans[next].first <= port)
            at = next;
    }
    return rule->spans[at & (BALLAST_MAX_PORT_SPANS - 1)].row;
}

/* Whether an alternative takes a consumer that matches the patterns `from`. */
BALLAST_INLINE bool ballast_alternative_takes(const struct ballast_alternative* alternative,
                                              const __u64* from) {
    __u64 wanted = 0;
    for (int i = 0; i < BALLAST_FROM_WORDS; i++) {
        wanted |= alternative->from[i];
        if (alternative->from[i] & from[i])
            return true;
    }
    return !wanted;
}

enum ballast_verdict {
    BALLAST_REFUSE,
    BALLAST_PASS_OBSERVED,
    BALLAST_PASS_DISARMED,
    BALLAST_PASS_DAEMON_SILENT,
};

/* The verdict on a connect() that found its destination full. now_ns: CLOCK_MONOTONIC. */
BALLAST_INLINE enum ballast_verdict ballast_over_limit(const struct ballast_control* control,
                                                       __u8 mode, __u64 now_ns) {
    if (mode != BALLAST_MODE_ENFORCE)
        return BALLAST_PASS_OBSERVED;
    if (BALLAST_LOAD(control->disarmed))
        return BALLAST_PASS_DISARMED;
    __u64 grace = BALLAST_LOAD(control->daemon_grace_ns);
    __u64 heartbeat = BALLAST_LOAD(control->heartbeat_ns);
    if (grace && now_ns > heartbeat && now_ns - heartbeat > grace)
        return BALLAST_PASS_DAEMON_SILENT;
    return BALLAST_REFUSE;
}

/* The negative errno that a refused connect() returns. */
BALLAST_INLINE int ballast_refusal_errno(__u8 on_limit) {
    switch (on_limit) {
    case BALLAST_ON_LIMIT_AGAIN:
        return -EAGAIN;
    case BALLAST_ON_LIMIT_UNREACHABLE:
        return -EHOSTUNREACH;
    default:
        return -ECONNREFUSED;
    }
}

#endif
