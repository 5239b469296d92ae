/* SPDX-License-Identifier: GPL-2.0 */
/* The ports that connect() chooses from in a network namespace. */
#ifndef BALLAST_BPF_PORT_RANGE_H
#define BALLAST_BPF_PORT_RANGE_H

#include "bpf/first.h"
#include "bpf/kernel.h"
#include "bpf/lib/atomic.h"

#include <bpf/bpf_core_read.h>

/* ip_local_port_range; *high: the last port that connect() tries. false: there is no such range. */
BALLAST_INLINE bool ballast_read_range(const struct netns_ipv4* ipv4, __u16* low, __u16* high) {
    const struct netns_ipv4___before_6_8* before = (const void*)ipv4;
    if (bpf_core_field_exists(before->ip_local_ports.range[0])) {
        *low = (__u16)BPF_CORE_READ(before, ip_local_ports.range[0]);
        *high = (__u16)BPF_CORE_READ(before, ip_local_ports.range[1]);
    } else {
        __u32 range = BPF_CORE_READ(ipv4, ip_local_ports.range);
        *low = (__u16)range;
        *high = (__u16)(range >> 16);
    }
    if (*low > *high)
        return false;
    /* Of an odd number of ports connect() leaves the last one out, but of one. */
    if ((*high - *low) % 2 == 0 && *high > *low)
        --*high;
    return true;
}

#endif
