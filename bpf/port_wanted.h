/* SPDX-License-Identifier: GPL-2.0 */
/* The one map that ports.bpf.c and port_hooks.bpf.c share: ports that programs asked bind() for
 * lately. The daemon gives the second object the map of the first. */
#ifndef BALLAST_BPF_PORT_WANTED_H
#define BALLAST_BPF_PORT_WANTED_H

#include "bpf/abi_ports.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, BALLAST_MAX_WANTED);
    __type(key, struct ballast_port_key);
    __type(value, struct ballast_wanted);
} wanted_ports SEC(".maps");

#endif
