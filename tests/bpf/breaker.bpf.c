// SPDX-License-Identifier: GPL-2.0
/* Breaker and rate as the verifier and the JIT see them. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tests/bpf/breaker_calls.h"

char LICENSE[] SEC("license") = "GPL";

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct breaker_call);
} calls SEC(".maps");

SEC("tc")
int run_one(struct __sk_buff* skb) {
    __u32 zero = 0;
    struct breaker_call* call = bpf_map_lookup_elem(&calls, &zero);
    if (!call)
        return 1;
    run_breaker_call(call);
    return 0;
}
