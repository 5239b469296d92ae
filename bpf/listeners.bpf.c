// SPDX-License-Identifier: GPL-2.0
/*
 * Reads how the kernel spreads the listeners of the caller's network namespace over a hash table,
 * which the daemon has to know before Linux 6.17 (daemon/kernel/iterator_listener.h). Run once a
 * namespace and sweep; an object of its own, so that newer kernels need not load it.
 */
#include "bpf/abi_listeners.h"
#include "bpf/kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

SEC("syscall")
int ballast_listeners(struct ballast_listeners* table) {
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    struct net* net = BPF_CORE_READ(task, nsproxy, net_ns);
    struct inet_hashinfo* hashinfo = BPF_CORE_READ(net, ipv4.tcp_death_row.hashinfo);
    table->mix = BPF_CORE_READ(net, hash_mix);
    table->last_bucket = BPF_CORE_READ(hashinfo, lhash2_mask);
    return 0;
}
