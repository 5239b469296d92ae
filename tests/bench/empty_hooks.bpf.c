// SPDX-License-Identifier: Apache-2.0
// Programs that do nothing on the hooks that a connection passes: what the hooks alone cost, which
// scripts/bench takes off what Ballast's programs cost there.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("cgroup/connect4")
int empty_connect4(void* context) {
    (void)context;
    return 1;
}

SEC("cgroup/connect6")
int empty_connect6(void* context) {
    (void)context;
    return 1;
}

SEC("cgroup/sock_release")
int empty_sock_release(void* context) {
    (void)context;
    return 1;
}

SEC("sockops")
int empty_sockops(void* context) {
    (void)context;
    return 1;
}

char LICENSE[] SEC("license") = "Apache-2.0";
