/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What bpf/ports.bpf.c counts of local ports, and bpf/port_hooks.bpf.c between its passes. Its maps
 * belong to the daemon that loaded them and end with it, so this is not part of the ABI version.
 * Byte order and addresses: as in bpf/abi.h.
 */
#ifndef BALLAST_BPF_ABI_PORTS_H
#define BALLAST_BPF_ABI_PORTS_H

#include <linux/types.h>

#define BALLAST_MAX_TUPLES 65536
#define BALLAST_MAX_PORT_SPACES 16384
#define BALLAST_MAX_POISONED 65536
#define BALLAST_MAX_WANTED 1024
#define BALLAST_TUPLE_CELLS 65536 /* a power of 2 */

/* Mini-sockets by when they end: those of the next 8 s, of the 8 s after these ... of all later. */
#define BALLAST_ENDS 9
#define BALLAST_ENDS_SECONDS 8

/* Connections of one source to one destination, in one network namespace: they need a local port
 * each. */
struct ballast_tuple_key {
    __u8 source[16];
    __u8 remote[16];
    __u32 netns; /* inode number */
    __u16 remote_port;
    __u16 pad;
};

/* The cgroup that has most of some sockets, if any has the half. */
struct ballast_majority {
    __u64 leader;   /* address of its struct cgroup */
    __u64 consumer; /* its id */
    __u32 votes;    /* for it, less those for others */
    __u32 pad;
};

/* One tuple's sockets whose local port is in the namespace's ip_local_port_range. A mini-socket is
 * what close() leaves: it has neither an owner nor a descriptor, but its port. */
struct ballast_tuple {
    __u32 pass;        /* that counted it last */
    __u32 used[2];     /* ports that connect() would choose if they were free: even, odd */
    __u32 unchosen;    /* on ports that it would not choose anyway: reserved or poisoned */
    __u32 connecting;  /* SYN_SENT */
    __u32 established; /* and not waiting to be closed */
    __u32 close_wait;
    __u32 closing;   /* FIN_WAIT1, FIN_WAIT2, CLOSING, LAST_ACK; not yet a mini-socket */
    __u32 time_wait; /* mini-sockets */
    __u32 reusable;  /* of these, those with timestamps, whose ports tcp_tw_reuse could give away */
    __u32 fin_wait2; /* mini-sockets */
    __u32 ended;     /* of the mini-sockets, those that began since the last pass */
    __u32 next_end;  /* jiffies until the first mini-socket ends; ~0: there is none */
    __u32 ends[BALLAST_ENDS];
    __u32 is_partial;     /* 1: found to be large in mid-pass, so only a part is counted */
    __u32 self_connected; /* sockets whose peer is the socket itself */
    struct ballast_majority consumers; /* of the sockets proper */
};

/* One network namespace. Keyed by the address of its struct net. */
struct ballast_port_space {
    __u32 pass;
    __u32 netns;       /* inode number */
    __u16 low;         /* of ip_local_port_range */
    __u16 high;        /* the last port that connect() tries */
    __u32 reserved[2]; /* even and odd ports of the range that are reserved */
    __u32 poisoned[2]; /* and those that somebody bound, which connect() skips for all; not reserved
                        */
    __u32 mix;         /* its part of the hash of a port */
    __u32 has_table;   /* 1: its sockets are in a hash table of its own */
    __u32 sockets;     /* connections in any state, mini-sockets too */
    __u32 minis;
    __u32 outside;     /* of all these, those whose port is not in the range */
    __u32 bound;       /* connections from ports of the range that their programs had bound */
    __u16 bound_below; /* the last port below the range that somebody bound, 0: none */
    __u16 bound_above; /* the first one above it, 0: none */
    __u32 most_minis;  /* net.ipv4.tcp_max_tw_buckets */
    __u32 pad;
    struct ballast_majority binders; /* of these */
};

/* A port in one network namespace. */
struct ballast_port_key {
    __u64 space; /* address of its struct net */
    __u64 port;
};

/* A port of the range that a program asked bind() for, and what has it where it is a connection
 * that connect() chose it for. */
struct ballast_wanted {
    __u64 cgroup; /* id, of the program */
    __u64 at_ns;  /* CLOCK_MONOTONIC */
    __u32 pid;
    __u32 pass; /* that found it to be in use by such connections alone; 0: none did */
    char comm[16];
    struct ballast_tuple_key holder; /* one of them; netns 0: not met */
    __u64 holder_cgroup;             /* id */
};

/* Connects that this CPU has counted since the daemon last set `budget`. */
struct ballast_connects {
    __u32 made;
    __u32 budget;  /* reports when it has counted that many; 0: never */
    __u32 is_said; /* it has */
    __u32 pad;
};

/* Sockets of the tuples that share a cell of `tuple_cells`. */
struct ballast_tuple_cell {
    __u32 pass;
    __u32 sockets;
};

/* What a pass does next, and its sums; one element. */
struct ballast_port_pass {
    __u32 pass;  /* number, by the daemon; 0: none yet */
    __u32 least; /* tuples with fewer sockets get no row; <= 1: all get one */
    __u32 next;  /* bucket that the table's next slice begins with; 0: the table is through */
    __u32 ticks_per_second;
    __u32 is_any_wanted; /* by the daemon: 1: `wanted_ports` is not empty */
    __u32 held;          /* ports of it that connections have which connect() chose them for */
    __u64 table;         /* address of the hash table that namespaces share; 0: not met */
    __u64 since;         /* jiffies when the last pass began */
    __u64 began;         /* when this one did */
    __u64 sockets;       /* met in hash tables */
    __u64 left_out;      /* of these, of tuples that got no row, for being small */
    __u64 bound;         /* ports with a bind bucket */
    __u64 torn; /* chains that changed while they were read: some may be counted twice, or not */
    __u64 unreadable; /* memory that could not be read */
    __u64 full;       /* sockets of tuples or namespaces, and poisoned ports, that found no room */
};

#endif
