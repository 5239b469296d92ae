/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What bpf/listeners.bpf.c returns to the daemon. Not in a map, so not part of the ABI version. */
#ifndef BALLAST_BPF_ABI_LISTENERS_H
#define BALLAST_BPF_ABI_LISTENERS_H

#include <linux/types.h>

/* How the kernel spreads the listeners of a network namespace over a hash table. */
struct ballast_listeners {
    __u32 mix;         /* secret of the namespace */
    __u32 last_bucket; /* buckets less 1; they are a power of 2 */
};

#endif
