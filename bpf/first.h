/* SPDX-License-Identifier: GPL-2.0 */
/* The element of a map that has one. */
#ifndef BALLAST_BPF_FIRST_H
#define BALLAST_BPF_FIRST_H

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#define BALLAST_FIRST(map)                                                                         \
    ({                                                                                             \
        __u32 zero_ = 0;                                                                           \
        bpf_map_lookup_elem(&(map), &zero_);                                                       \
    })

#endif
