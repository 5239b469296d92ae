/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The contract between the eBPF programs and the daemon: every struct that lives in a map or leaves
 * an iterator, and the names of what is pinned. Compiled by both sides.
 *
 * Rules of this file
 * 1. Ports are host byte order, addresses are 16 bytes in network byte order with IPv4 as
 *    ::ffff:a.b.c.d, everything else is host byte order.
 * 2. No implicit padding; every size and the offsets that matter are asserted below, and a test
 *    compares them with the BTF of the compiled programs.
 * 3. A change to anything here raises BALLAST_ABI_VERSION; a daemon refuses pins of another version
 *    by name. Numbers of enumerators are never reused.
 */
#ifndef BALLAST_BPF_ABI_H
#define BALLAST_BPF_ABI_H

#include "bpf/abi_breaker.h"
#include "bpf/abi_keepalive.h"
#include "bpf/abi_suspicion.h"
#include "bpf/counters.h"

#include <linux/types.h>

/* The thousands are raised by hand, by rule 3. */
#define BALLAST_ABI_VERSION (8 * 1000 + BALLAST_COUNTER_ROWS)

/* Services per policy. Row 0 of a policy and service id 0 mean "none". */
#define BALLAST_MAX_SERVICES 1024
#define BALLAST_MAX_DESTINATIONS 65536
#define BALLAST_MAX_PREFIXES 16384

/* Cgroups that have opened a governed connection where `from` or a share mattered; 0 means "none".
 */
#define BALLAST_MAX_CONSUMERS 4097
#define BALLAST_MAX_SHARES 65536

/* Distinct elements of `from` in a policy, and alternatives that they choose among; 0: "none". */
#define BALLAST_MAX_FROM 256
#define BALLAST_FROM_WORDS (BALLAST_MAX_FROM / 64)
#define BALLAST_MAX_ALTERNATIVES 4096
#define BALLAST_FROM_LENGTH 128
#define BALLAST_CGROUP_PATH 256

/* Rows of `services`: one half holds the policy in force, the other the one being written. */
#define BALLAST_SERVICE_ROWS (2 * BALLAST_MAX_SERVICES)

/* Port spans one prefix can carry: up to 15 disjoint ranges with a gap before, between and behind.
 */
#define BALLAST_MAX_PORT_SPANS 32

/* Reservations live in buckets; a socket may sit in any of BALLAST_BUCKET_CHOICES of them. */
#define BALLAST_BUCKET_WIDTH 7
#define BALLAST_BUCKETS 32768
#define BALLAST_BUCKET_CHOICES 4
#define BALLAST_MAX_RESERVATIONS (BALLAST_BUCKETS * BALLAST_BUCKET_WIDTH)

#define BALLAST_SERVICE_NAME_LENGTH 64

/* A sweep reports a flow with this many unanswered keepalive probes in a row. */
#define BALLAST_PROBES_TELLING 2

/* How far a guard may go. */
enum ballast_mode {
    BALLAST_MODE_OFF = 0,
    BALLAST_MODE_OBSERVE = 1,
    BALLAST_MODE_ENFORCE = 2,
};

/* The errno a refused connect() returns. */
enum ballast_on_limit {
    BALLAST_ON_LIMIT_REFUSED = 0,     /* ECONNREFUSED */
    BALLAST_ON_LIMIT_AGAIN = 1,       /* EAGAIN */
    BALLAST_ON_LIMIT_UNREACHABLE = 2, /* EHOSTUNREACH */
};

/*
 * Map `control`, one element. Written by the daemon (heartbeat, policy) and by the kill switch;
 * read by programs only where they are about to refuse.
 */
struct ballast_control {
    __u32 abi_version;       /* BALLAST_ABI_VERSION of the writer */
    __u32 ready;             /* 1: all pins are complete; 0: a load was cut short */
    __u32 disarmed;          /* 1: kill switch, every guard observes */
    __u32 next_destination;  /* first never-used index of `destinations` */
    __u64 heartbeat_ns;      /* CLOCK_MONOTONIC of the daemon's last sign of life */
    __u64 daemon_grace_ns;   /* enforcement ends when the heartbeat is older; 0: never */
    __u64 confined_cgroup;   /* id (inode number) of the governed subtree; 0: whole host */
    __u32 confined_level;    /* depth of that cgroup below the root of the hierarchy */
    __u32 sweep;             /* number of the sweep under way; written by the daemon */
    __u64 policy_generation; /* grows by one with each policy put in force */
    __u32 next_consumer;     /* first never-used index of `consumers` */
    __u32 next_share;        /* first never-used index of `shares` */
    __u32 next_breaker;      /* first never-used index of `breakers` */
    __u32 watch_times;       /* 1: some service has slow_connect or reset_within */
    __u32 half;              /* of `services`, in force; for what happens to connections later on */
    __u32 trip_budget;       /* breakers that may open until the governor tops it up */
    __u32 tuning;            /* 1: program `tune` is attached, so that connect_timeout may be set */
    __u32 suspect_after;     /* jiffies without a sign of the peer that make a flow suspect */
    __u32 suspect_until;     /* retransmissions in a row to report; 0: report no suspicion */
    __u32 ticks_per_second;  /* of the kernel's jiffies */
    __u32 watch_connects;    /* 1: a connect() was given up, so who else connects is recorded */
    __u32 watches_states;    /* 1: program `state` is attached, so that sockets may be watched */
    /* CLOCK_MONOTONIC when the host was last found to have slept: what was silent then may have
     * been forgotten, and is probed at once; 0: never */
    __u64 slept_ns;
    __u32 can_watch;  /* 1: the kernel lets programs have any socket watched */
    __u32 lost_watch; /* 1: a sweep met one whose flags are another program's */
    __u32 unwatched;  /* number of the last sweep that met a counted one not watched; 0: none */
    __u32 redirects;  /* 1: a sweep met a connection that this host itself answers */
};

/* Map `counters`, one element: a word for each row of bpf/counters.h. */
struct ballast_counters {
#define BALLAST_ROW(name, group, help) __u64 name;
    BALLAST_COUNTERS(BALLAST_ROW)
#undef BALLAST_ROW
};

/* Key of a policy's prefix trie. 10.0.0.0/8 is { 104, ::ffff:10.0.0.0 }. */
struct ballast_prefix_key {
    __u32 prefix_len; /* bits, 0..128 */
    __u8 address[16];
};

/*
 * Ports from `first` up to the next span's `first` are governed by `row` of `services`; 0: by none;
 * with BALLAST_ALTERNATIVE set, by the first alternative, from this one on, that takes the
 * consumer.
 */
struct ballast_port_span {
    __u16 first;
    __u16 row;
};

#define BALLAST_ALTERNATIVE 0x8000

/*
 * Value of a policy's prefix trie. The daemon resolves shorter prefixes into longer ones, so that
 * one lookup of the longest match answers for every port. spans[0].first is 0; ascending.
 * Example: 10.0.0.5:5432 under row 7, else nothing: { 3, {{0,0},{5432,7},{5433,0}} }.
 */
struct ballast_prefix_rule {
    __u32 span_count; /* 1..BALLAST_MAX_PORT_SPANS */
    __u32 reserved;
    struct ballast_port_span spans[BALLAST_MAX_PORT_SPANS];
};

/*
 * Map `alternatives`, by policy half: a row for those consumers that match one of the patterns, the
 * bits of `from`, or for everyone when there is none.
 */
struct ballast_alternative {
    __u64 from[BALLAST_FROM_WORDS];
    __u32 generation; /* of the policy */
    __u16 row;
    __u16 next; /* 0: no service governs the rest */
};

/* Map `from_patterns`, by policy half: "app-*.service", a path; NUL-terminated. */
struct ballast_from_pattern {
    char text[BALLAST_FROM_LENGTH];
};

/* Map `services`: one row per service and policy half. */
struct ballast_service {
    __u32 max_connections;  /* to one destination; BALLAST_UNLIMITED: counted only */
    __u16 service;          /* stable id, index of `service_names` */
    __u8 mode;              /* enum ballast_mode, of the limits */
    __u8 on_limit;          /* enum ballast_on_limit */
    __u32 max_total;        /* to all destinations; BALLAST_UNLIMITED: counted only */
    __u32 max_per_consumer; /* share of one destination; BALLAST_UNLIMITED: not counted */
    __u64 rate_interval_ns; /* between connects to one destination at the full rate; 0: no limit */
    __u64 rate_burst_ns;    /* how many may come at once, times the interval */
    __u32 connect_timeout_ms; /* 0: the kernel's */
    __u32 reserved;
    struct ballast_breaker_limits breaker;
    struct ballast_keepalive_rule keepalive;
    __u64 reserved_too[3];
};

#define BALLAST_UNLIMITED 0xffffffffu

/* Why a connect() was turned away, or would have been. */
enum ballast_reason {
    BALLAST_REASON_LIMIT = 0,    /* max_connections */
    BALLAST_REASON_TOTAL = 1,    /* max_total */
    BALLAST_REASON_CONSUMER = 2, /* max_per_consumer */
    BALLAST_REASON_RATE = 3,
    BALLAST_REASON_BREAKER = 4,
    BALLAST_REASONS = 6, /* with room for one more */
};

/* Key of map `destination_index`; its value is an index of `destinations`. */
struct ballast_destination_key {
    __u8 address[16];
    __u16 port;
    __u16 service;
};

/*
 * Map `destinations`: what admission needs in one cache line, the rest behind. Never freed, only
 * recycled by the daemon, so that a reservation may hold the index. in_use carries BALLAST_RETIRED
 * while it is being recycled.
 */
struct ballast_destination {
    __u32 in_use;
    __u16 service; /* 0: index is free */
    __u16 port;
    __u32 breaker;     /* index of `breakers`; 0: it has none */
    __u32 ask;         /* not 0: admission has to ask the breaker */
    __u64 admitted;    /* connects that got a reservation, over a limit or not */
    __u64 adopted;     /* older sockets that a sweep gave a reservation */
    __u64 last_use_ns; /* CLOCK_MONOTONIC of the last connect or adoption */
    __u64 rate_tat_ns; /* when the next connect is due at the full rate (lib/rate.h) */
    /* What is known of a destination that never failed, for the moment it does (lib/recent.h). */
    __u32 mark;            /* when the fields below were brought forward */
    __u32 most_used;       /* in_use at the most: since the mark 16, before it 16 */
    __u32 admitted_mark;   /* `admitted` at the mark */
    __u32 admitted_before; /* `admitted` at the mark before */
    __u8 address[16];
    __u64 refused[BALLAST_REASONS]; /* by enum ballast_reason */
    __u64 over[BALLAST_REASONS];    /* admitted nevertheless: observe, disarmed or daemon silent */
    /* The path's idle timeout as far as known, for keepalive `auto`; written by the daemon. */
    __u32 keepalive_longest_ms; /* silence before a probe at the most; 0: nothing is known */
    __u32 keepalive_died_ms;    /* a silence after which a flow was dropped; 0: none was */
    __u32 first_failed; /* when its only connect so far failed, as struct ballast_breaker_party */
    __u8 first_failure; /* how, enum ballast_failure + 1; 0: it did not */
    __u8 maker;         /* whose table space it takes (lib/fair.h) */
    __u8 reserved_end[2];
};

#define BALLAST_RETIRED 0x80000000u

/* Map `totals`, by service id: reservations to all destinations of the service. */
struct ballast_total {
    __u32 in_use;
    __u32 reserved[15];
};

/*
 * Map `consumers`: a cgroup, its path, and which patterns of `from` it matches, by policy half and
 * good for the policy whose generation is beside them. Shares are counted for `unit`: the innermost
 * systemd unit (.service, .scope) around the cgroup, or itself where there is none.
 */
struct ballast_consumer {
    __u64 cgroup; /* id, its inode number; 0: index is free */
    __u64 from[2][BALLAST_FROM_WORDS];
    __u32 generation[2];
    __u32 unit;
    __u32 zero; /* never written */
    __u64 reserved[5];
    /* Below the root of the hierarchy, NUL-terminated, cut at BALLAST_CGROUP_PATH; behind that is
     * room for one more name while it is put together. */
    char path[2 * BALLAST_CGROUP_PATH];
};

/* Key of map `share_index`; its value is an index of `shares`. */
struct ballast_share_key {
    __u32 destination;
    __u32 consumer;
};

/* Map `shares`: reservations of one consumer to one destination, where max_per_consumer counts. */
struct ballast_share {
    __u32 in_use;
    __u32 destination;
    __u32 consumer; /* 0: index is free */
    __u32 reserved;
};

/*
 * One admitted connection. cookie 0: free; BALLAST_CLAIMED: being written. `held` names what it
 * holds a place of: BALLAST_HELD_DESTINATION its destination, BALLAST_HELD_CONSUMER who opened it,
 * with BALLAST_HELD_SHARE counted in that consumer's share; BALLAST_HELD_PROBE: a breaker waits for
 * its outcome; BALLAST_PENDING: until the socket reaches SYN_SENT.
 */
struct ballast_reservation {
    __u64 cookie; /* socket cookie, never reused by the kernel (net/core/sock_diag.c) */
    __u32 held;
    __u32 netns; /* inode number of the socket's network namespace */
};

/* Far from both ends: the kernel counts cookies up from 1 and, where an interrupt asks for one
 * while its CPU makes another, down from 2^64-1 (include/linux/cookie.h, gen_cookie_next()). */
#define BALLAST_CLAIMED 0x8000000000000000ull
#define BALLAST_HELD_DESTINATION 0x0000ffffu
#define BALLAST_HELD_CONSUMER 0x1fff0000u
#define BALLAST_HELD_CONSUMER_SHIFT 16
#define BALLAST_HELD_SHARE 0x20000000u
#define BALLAST_HELD_PROBE 0x40000000u
#define BALLAST_PENDING 0x80000000u

/* Map `reservations`: two cache lines each. */
struct ballast_bucket {
    __u32 spilled; /* 1: some reservation had to go to its next choice; ends or prolongs a search */
    __u32 reserved[3];
    struct ballast_reservation entries[BALLAST_BUCKET_WIDTH];
};

/* Map `seen`: number of the last sweep that met the socket of the reservation at the same place. */
struct ballast_bucket_seen {
    __u32 sweep[BALLAST_BUCKET_WIDTH];
    __u32 reserved;
};

/* Map `times`: when the reservation at the same place reached SYN_SENT, or was established, if its
 * service asked for times then. */
struct ballast_time {
    __u32 since_ms; /* CLOCK_MONOTONIC, low 32 bits */
    __u32 cookie;   /* low 32 bits: whose time it is */
};
struct ballast_bucket_times {
    struct ballast_time entries[BALLAST_BUCKET_WIDTH + 1]; /* the last is unused */
};

/* Map `user_timeouts`, kept with the socket: its TCP_USER_TIMEOUT while connect_timeout holds. */
struct ballast_user_timeout {
    __u32 set_ms; /* what Ballast set; 0: nothing */
    __u32 own_ms; /* what it was before; 0: the kernel's */
};

/* Map `service_names`: service id -> name, NUL-terminated; an empty name is a free id. */
struct ballast_service_name {
    char name[BALLAST_SERVICE_NAME_LENGTH];
};

enum ballast_flow_flags {
    BALLAST_FLOW_INBOUND = 1,   /* accepted, not connected */
    BALLAST_FLOW_RESERVED = 2,  /* holds a reservation */
    BALLAST_FLOW_ADOPTED = 4,   /* this sweep gave it one */
    BALLAST_FLOW_UNTRACKED = 8, /* governed, but a table was full */
    /* The peer gave no window for what waits to be sent. */
    BALLAST_FLOW_ZERO_WINDOW = 16,
    /* The peer acknowledged all that was sent and has sent no data since. */
    BALLAST_FLOW_UNANSWERED = 32,
    BALLAST_FLOW_OUTSIDE =
        64, /* its cgroup is not in the governed subtree; none of the above two, nor the next */
    /* Keepalive probes, BALLAST_PROBES_TELLING or more, have had no answer. */
    BALLAST_FLOW_PROBING = 128,
};

/* More of what a sweep sees of a socket that may be half-open. */
enum ballast_flow_signs {
    /* This host does not send what it has to send, though the peer gives a window for it. */
    BALLAST_FLOW_UNSENT = 1,
    BALLAST_FLOW_DEAF = 2,    /* no data was ever received */
    BALLAST_FLOW_SUBFLOW = 4, /* of an MPTCP connection */
};

/* A sweep's record of one socket (TIME_WAIT and NEW_SYN_RECV apart; LISTEN from the pass over files
 * alone). */
struct ballast_flow {
    __u64 cookie; /* 0: the kernel has not made one */
    __u8 local_address[16];
    __u8 remote_address[16];
    __u16 local_port;
    __u16 remote_port;
    __u16 service; /* 0: not governed */
    __u8 state;    /* TCP_ESTABLISHED = 1 .. TCP_CLOSING = 11 */
    __u8 flags;    /* enum ballast_flow_flags */
    __u32 netns;
    __u32 interface;     /* index of the one it is bound to; 0: none */
    __u32 rtt_us;        /* smoothed */
    __u32 idle_jiffies;  /* since anything was received */
    __u8 retransmits;    /* unacknowledged, now */
    __u8 probes;         /* of keepalive or of a zero window, unanswered */
    __u8 retune;         /* 1: its keepalive is to be set or given back, which takes iter/tcp */
    __u8 signs;          /* enum ballast_flow_signs */
    __u32 mark;          /* SO_MARK */
    __u32 heard_jiffies; /* since anything was received, the peer's keepalive probes included */
    __u32 quiet_jiffies; /* since that, or since data was sent, whichever was later */
    __u32 packets_in;    /* in its whole life; wraps */
    __u32 packets_out;
    __u32 acked;  /* bytes acknowledged by the peer in its whole life, the low 32 bits */
    __u32 queued; /* bytes written and not acknowledged */
    struct ballast_flow_keepalive keepalive;
};

/* Map `sweep_totals`, one element: what the records leave out; zeroed by the daemon before each
 * iterator is read. */
struct ballast_sweep_totals {
    __u64 time_wait;
    __u64 adopted;
    __u64 moved;
    __u64 reserved[5];
};

BALLAST_ASSERT_SIZE(struct ballast_control, 128);
BALLAST_ASSERT_SIZE(struct ballast_counters, 8 * BALLAST_COUNTER_ROWS);
BALLAST_ASSERT_SIZE(struct ballast_prefix_key, 20);
BALLAST_ASSERT_SIZE(struct ballast_port_span, 4);
BALLAST_ASSERT_SIZE(struct ballast_prefix_rule, 136);
BALLAST_ASSERT_SIZE(struct ballast_bucket_times, 64);
BALLAST_ASSERT_SIZE(struct ballast_alternative, 40);
BALLAST_ASSERT_SIZE(struct ballast_from_pattern, 128);
BALLAST_ASSERT_SIZE(struct ballast_service, 128);
BALLAST_ASSERT_SIZE(struct ballast_destination_key, 20);
BALLAST_ASSERT_SIZE(struct ballast_destination, 192);
BALLAST_ASSERT_SIZE(struct ballast_total, 64);
BALLAST_ASSERT_SIZE(struct ballast_consumer, 640);
BALLAST_ASSERT_SIZE(struct ballast_share_key, 8);
BALLAST_ASSERT_SIZE(struct ballast_share, 16);
BALLAST_ASSERT_SIZE(struct ballast_reservation, 16);
BALLAST_ASSERT_SIZE(struct ballast_bucket, 128);
BALLAST_ASSERT_SIZE(struct ballast_bucket_seen, 32);
BALLAST_ASSERT_SIZE(struct ballast_user_timeout, 8);
BALLAST_ASSERT_SIZE(struct ballast_service_name, 64);
BALLAST_ASSERT_SIZE(struct ballast_flow, 112);
BALLAST_ASSERT_SIZE(struct ballast_sweep_totals, 64);

#endif
