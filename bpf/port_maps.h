/* SPDX-License-Identifier: GPL-2.0 */
/* What bpf/ports.bpf.c counts in, and where it reads to. */
#ifndef BALLAST_BPF_PORT_MAPS_H
#define BALLAST_BPF_PORT_MAPS_H

#include "bpf/abi_ports.h"
#include "bpf/first.h"
#include "bpf/kernel.h"
#include "bpf/lib/ports.h"
#include "bpf/port_wanted.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct ballast_port_pass);
} port_pass SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, BALLAST_MAX_TUPLES);
    __type(key, struct ballast_tuple_key);
    __type(value, struct ballast_tuple);
} tuples SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, BALLAST_MAX_PORT_SPACES);
    __type(key, __u64);
    __type(value, struct ballast_port_space);
} port_spaces SEC(".maps");

/* Ports by namespace that connect() skips; value: the pass that last found it so. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, BALLAST_MAX_POISONED);
    __type(key, struct ballast_port_key);
    __type(value, __u32);
} poisoned_ports SEC(".maps");

/* Sockets of all tuples with one hash, in this pass and in the last: which of them may be large. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2 * BALLAST_TUPLE_CELLS);
    __type(key, __u32);
    __type(value, struct ballast_tuple_cell);
} tuple_cells SEC(".maps");

/* What is read before it is looked at. One slice runs at a time. */
struct scratch {
    __u64 reserved[BALLAST_PORT_WORDS];
    __u32 reserved_ports[2]; /* even and odd ones, so far, from `low` to `high` */
    __u32 low;
    __u32 high;
    __u8 socket[256];
    __u8 bucket[128];
    __u32 netns;        /* of the socket */
    __u32 has_unchosen; /* 1: some ports of its range are reserved or poisoned there */
    struct ballast_port_key port;
    struct ballast_tuple_key key;
    struct ballast_tuple tuple; /* a new one: the stack is needed for what is called */
};
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct scratch);
} scratches SEC(".maps");

BALLAST_INLINE bool read_at(void* to, __u32 size, __u64 address, struct ballast_port_pass* pass) {
    if (!bpf_probe_read_kernel(to, size, (const void*)address))
        return true;
    ++pass->unreadable;
    return false;
}

#endif
