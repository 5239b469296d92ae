/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Classifies the errno of a connection that was not established. */
#ifndef BALLAST_BPF_LIB_FAILURE_H
#define BALLAST_BPF_LIB_FAILURE_H

#include <linux/errno.h>

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

#define BALLAST_NO_FAILURE (-1)

/* A SYN that was not answered for so long may count, where the application gave up: programs race
 * two addresses of a host and drop the slower one (RFC 8305 has them wait 250 ms for the first). */
#define BALLAST_UNANSWERED_MS 200u

/* How a connect() ended that the application gave up. */
struct ballast_given_up {
    __u32 retransmits;  /* of its SYN */
    __u32 waited_ms;    /* since that was sent */
    __u32 connected_ms; /* since the same consumer last connected to the same port; ~0: unknown */
};

/*
 * Whether a connect() that was given up counts as not answered. One that gives up has its own
 * time-out as often as not, so a SYN that had to be sent again does. One that waited for less does
 * if it was not the loser of a race: that is dropped once another has connected meanwhile.
 */
BALLAST_INLINE bool ballast_is_unanswered_connect(const struct ballast_given_up* end) {
    return end->retransmits ||
           (end->waited_ms >= BALLAST_UNANSWERED_MS && end->connected_ms > end->waited_ms);
}

/*
 * Kind of failure of a socket that went from SYN_SENT to CLOSE, or BALLAST_NO_FAILURE. error: the
 * socket's, 0 where the application gave up, as `end` has it.
 */
BALLAST_INLINE int ballast_failure_to_connect(int error, const struct ballast_given_up* end) {
    switch (error) {
    case 0:
        return ballast_is_unanswered_connect(end) ? BALLAST_FAILURE_TIMED_OUT : BALLAST_NO_FAILURE;
    case ETIMEDOUT:
        return BALLAST_FAILURE_TIMED_OUT;
    case ECONNREFUSED:
    case ECONNRESET:
        return BALLAST_FAILURE_REFUSED;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EACCES: /* ICMP: prohibited by a filter */
    case EPROTO:
    case EOPNOTSUPP:
        return BALLAST_FAILURE_UNREACHABLE;
    default:
        return BALLAST_NO_FAILURE;
    }
}

#endif
