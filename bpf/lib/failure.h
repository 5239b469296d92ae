/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Classifies the errno of a connection that was not established. */
#ifndef BALLAST_BPF_LIB_FAILURE_H
#define BALLAST_BPF_LIB_FAILURE_H

#include <linux/errno.h>

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

#define BALLAST_NO_FAILURE (-1)

/*
 * Kind of failure of a socket that went from SYN_SENT to CLOSE, or BALLAST_NO_FAILURE. error: the
 * socket's, 0 where the application gave up. One that gives up has its own time-out as often as
 * not, so a SYN that had to be sent again counts as not answered.
 */
BALLAST_INLINE int ballast_failure_to_connect(int error, __u32 retransmits) {
    switch (error) {
    case 0:
        return retransmits ? BALLAST_FAILURE_TIMED_OUT : BALLAST_NO_FAILURE;
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
