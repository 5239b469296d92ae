// SPDX-License-Identifier: GPL-2.0
/* Every struct of the contract, laid out by the compiler of the programs for their machine. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

char LICENSE[] SEC("license") = "GPL";

struct contract {
    struct ballast_control control;
    struct ballast_counters counters;
    struct ballast_breaker breaker;
    struct ballast_event event;
    struct ballast_suspicion suspicion;
    struct ballast_prefix_key prefix_key;
    struct ballast_prefix_rule prefix_rule;
    struct ballast_alternative alternative;
    struct ballast_from_pattern from_pattern;
    struct ballast_service service;
    struct ballast_destination_key destination_key;
    struct ballast_destination destination;
    struct ballast_total total;
    struct ballast_consumer consumer;
    struct ballast_share_key share_key;
    struct ballast_share share;
    struct ballast_bucket bucket;
    struct ballast_bucket_seen bucket_seen;
    struct ballast_time time;
    struct ballast_bucket_times bucket_times;
    struct ballast_user_timeout user_timeout;
    struct ballast_kept_keepalive kept_keepalive;
    struct ballast_service_name service_name;
    struct ballast_flow flow;
    struct ballast_sweep_totals sweep_totals;
    struct ballast_makers makers;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct contract);
} contracts SEC(".maps");
