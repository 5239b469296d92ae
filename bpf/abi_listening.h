/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What bpf/listening.bpf.c reads of listening sockets. Its maps belong to the daemon that loaded
 * them and end with it, so this is not part of the ABI version. Byte order and addresses: as in
 * bpf/abi.h.
 */
#ifndef BALLAST_BPF_ABI_LISTENING_H
#define BALLAST_BPF_ABI_LISTENING_H

#include <linux/types.h>

#define BALLAST_MAX_LISTENERS 16384

/* One listening socket. Keyed by its address in the kernel's memory. */
struct ballast_listening {
    __u32 pass;  /* that met it last */
    __u32 netns; /* inode number */
    __u8 address[16];
    __u16 port;
    __u16 is_dual;    /* 1: an IPv6 wildcard that takes IPv4 too */
    __u32 inode;      /* number of the socket's own; 0: nobody has it open */
    __u32 depth;      /* of the accept queue: sk_ack_backlog */
    __u32 limit;      /* sk_max_ack_backlog: the kernel takes one more */
    __u32 requests;   /* SYN queue: connections whose handshake is under way */
    __u32 drops;      /* of SYNs and handshakes, for whatever reason, since listen(); wraps */
    __u32 somaxconn;  /* of the namespace, now */
    __u32 group_size; /* of SO_REUSEPORT; 0: there is none */
    __u64 group;      /* the group, by its address in the kernel's memory */
    __u64 head;       /* first of the accept queue, by its address; 0: the queue is empty */
    __u64 head_us;    /* when its handshake was over, CLOCK_MONOTONIC in us; 0: not known */
    __u64 cgroup;     /* id, of the program */
};

/* What a pass does next, and its sums; one element. */
struct ballast_listening_pass {
    __u32 pass;       /* number, by the daemon; 0: none yet */
    __u32 next;       /* bucket that the next slice begins with; 0: the table is through */
    __u64 torn;       /* chains that changed while they were read */
    __u64 unreadable; /* memory that could not be read */
    __u64 full;       /* listeners that found no room */
};

#endif
