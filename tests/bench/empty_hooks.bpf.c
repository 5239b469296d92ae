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

SEC("tp_btf/tcp_destroy_sock")
int empty_destroy(void* context) {
    (void)context;
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int empty_state(void* context) {
    (void)context;
    return 0;
}

char LICENSE[] SEC("license") = "Apache-2.0";
