/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel types that the programs read, cut down to the fields used. preserve_access_index makes
 * every access a CO-RE relocation: libbpf finds each field in the running kernel's BTF by name, so
 * that one object file runs on any kernel from 6.1. Only names and types of fields count here, not
 * their order. Unions of the kernel are flattened: relocation looks into anonymous members.
 */
#ifndef BALLAST_BPF_KERNEL_H
#define BALLAST_BPF_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    __s64 counter;
} atomic64_t;

typedef struct {
    int counter;
} atomic_t;

struct ns_common {
    unsigned int inum;
};

struct hlist_node {
    struct hlist_node* next;
};

struct hlist_nulls_node {
    struct hlist_nulls_node* next; /* odd: the end, and the bucket's number times two and one */
};

struct hlist_nulls_head {
    struct hlist_nulls_node* first;
};

struct inet_ehash_bucket {
    struct hlist_nulls_head chain;
};

struct inet_listen_hashbucket {
    struct hlist_nulls_head nulls_head;
};

struct hlist_head {
    struct hlist_node* first;
};

struct inet_bind_hashbucket {
    struct hlist_head chain;
};

struct inet_hashinfo {
    struct inet_ehash_bucket* ehash;    /* of connections */
    unsigned int ehash_mask;            /* buckets less 1 */
    struct inet_bind_hashbucket* bhash; /* of ports that are in use; all namespaces share it */
    unsigned int bhash_size;            /* a power of 2 */
    unsigned int lhash2_mask;
    struct inet_listen_hashbucket* lhash2; /* of listeners; all namespaces share it */
    _Bool pernet;                          /* `ehash` belongs to one namespace */
};

struct inet_timewait_death_row {
    struct inet_hashinfo* hashinfo;
    int sysctl_max_tw_buckets;
};

/* Of ip_local_port_range; both ends in one word since Linux 6.8, high << 16 | low. */
struct local_ports {
    __u32 range;
};

struct netns_ipv4 {
    struct inet_timewait_death_row tcp_death_row;
    struct local_ports ip_local_ports;
    unsigned long* sysctl_local_reserved_ports; /* a bit for each port */
    int sysctl_tcp_keepalive_time;              /* jiffies */
    int sysctl_tcp_keepalive_intvl;
    __u8 sysctl_tcp_keepalive_probes;
    __u8 sysctl_tcp_syn_retries;
};

struct netns_core {
    int sysctl_somaxconn;
};

struct net {
    struct ns_common ns;
    __u32 hash_mix;
    __u64 net_cookie; /* as SO_NETNS_COOKIE and bpf_get_netns_cookie() have it */
    struct netns_core core;
    struct netns_ipv4 ipv4;
};

/* Before Linux 6.8. */
struct netns_ipv4___before_6_8 {
    struct {
        int range[2];
    } ip_local_ports;
};

/* Where a program's own range is (IP_LOCAL_PORT_RANGE), in host byte order; 0: it has none. */
struct inet_sock___since_6_8 {
    __u32 local_port_range;
};
struct inet_sock___since_6_3 {
    struct {
        __u16 lo;
        __u16 hi;
    } local_port_range;
};

struct nsproxy {
    struct net* net_ns;
};

struct possible_net {
    struct net* net;
};

struct kernel_in6_addr {
    union {
        __u32 u6_addr32[4];
    } in6_u;
};

struct sock_common {
    __u32 skc_daddr;
    __u32 skc_rcv_saddr;
    __u16 skc_dport; /* network byte order */
    __u16 skc_num;   /* host byte order */
    unsigned short skc_family;
    volatile unsigned char skc_state;
    unsigned char skc_reuse : 4;
    unsigned char skc_reuseport : 1;
    unsigned char skc_ipv6only : 1;
    int skc_bound_dev_if;
    unsigned long skc_flags; /* bits of enum sock_flags */
    struct possible_net skc_net;
    struct kernel_in6_addr skc_v6_daddr;
    struct kernel_in6_addr skc_v6_rcv_saddr;
    atomic64_t skc_cookie;
    __u32 skc_hash; /* its lower bits are the bucket's number */
    struct hlist_nulls_node skc_nulls_node;
};

struct timer_list {
    unsigned long expires; /* jiffies */
};

struct inet_timewait_sock {
    unsigned char tw_substate; /* TCP_TIME_WAIT or TCP_FIN_WAIT2 */
    struct timer_list tw_timer;
};

struct tcp_timewait_sock {
    struct inet_timewait_sock tw_sk;
    int tw_ts_recent_stamp; /* seconds of the last timestamp received; 0: they are not in use */
};

/* A port in use in a namespace. `fastreuse` and `fastreuseport` are negative while every socket on
 * it got it from connect(). */
struct inet_bind_bucket {
    struct possible_net ib_net;
    unsigned short port;
    signed char fastreuse;
    signed char fastreuseport;
    struct hlist_node node;
};

struct kernfs_node {
    __u64 id;
    const char* name;
};

struct cgroup {
    int level;
    struct kernfs_node* kn;
    struct cgroup* ancestors[];
};

struct css_set {
    struct cgroup* dfl_cgrp;
};

struct task_struct {
    struct nsproxy* nsproxy;
    struct css_set* cgroups;
};

struct sock_cgroup_data {
    struct cgroup* cgroup;
};

struct sock;

struct socket {
    short type;
    struct sock* sk;
};

struct net_device {
    int ifindex;
};

struct dst_entry {
    struct net_device* dev;
};

struct sock {
    struct sock_common __sk_common;
    int sk_rx_dst_ifindex;          /* of the device that a packet last came in by */
    struct dst_entry* sk_dst_cache; /* the way out, as it was before netfilter */
    int sk_err;
    struct socket* sk_socket; /* NULL: an orphan */
    struct sock_cgroup_data sk_cgrp_data;
    __u32 sk_mark;
    __u32 sk_ack_backlog;     /* of a listener: connections that wait for accept() */
    __u32 sk_max_ack_backlog; /* and how many may, less one */
    atomic_t sk_drops;
    struct sock_reuseport* sk_reuseport_cb; /* the group that it listens with; NULL: none */
};

struct bpf_prog;
struct sock_reuseport {
    __u16 num_socks;
    struct bpf_prog* prog; /* chooses the member; NULL: the kernel does */
    struct sock* socks[];
};

/* What a socket's inode is part of (include/net/sock.h). */
struct inode {
    unsigned long i_ino;
};
struct socket_alloc {
    struct inode vfs_inode;
};

/* A connection that its listener has not handed out. */
struct request_sock {
    __u8 num_retrans; /* times that its SYN was answered again */
    struct sock* sk;  /* the connection, once there is one */
};
struct tcp_request_sock {
    __u64 snt_synack; /* us, when its SYN was first answered; 0: it was by a cookie */
};

struct request_sock_queue {
    atomic_t qlen; /* handshakes under way */
    struct request_sock* rskq_accept_head;
};

struct sk_buff {
    unsigned int len;
};

struct ipv6_pinfo {
    int mcast_oif;
};

struct inet_sock {
    struct sock sk;
    struct ipv6_pinfo* pinet6;
    __u16 inet_sport; /* network byte order; stays when the port is given back */
    int mc_index;
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
    __u32 icsk_user_timeout; /* ms; 0: the kernel's */
    __u32 icsk_rto;          /* jiffies, as all times here */
    void* icsk_ulp_data;     /* of an MPTCP subflow: its mptcp_subflow_context */
    struct request_sock_queue icsk_accept_queue;
    __u8 icsk_retransmits;
    __u8 icsk_pending; /* timer under way; 0 while the retransmission timer's work is done */
    __u8 icsk_backoff;
    __u8 icsk_probes_out;
    __u8 icsk_syn_retries; /* TCP_SYNCNT; 0: the kernel's */
    __u32 icsk_rto_max;    /* jiffies; Linux 6.15 */
    struct {
        __u32 lrcvtime; /* when data was last received */
    } icsk_ack;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    __u8 bpf_sock_ops_cb_flags;
    __u32 srtt_us;           /* eight times the smoothed RTT (include/linux/tcp.h) */
    __u32 rcv_tstamp;        /* when an acknowledgement was last received */
    __u32 lsndtime;          /* when data was last sent, again or for the first time */
    __u32 retrans_stamp;     /* ms, when what is unanswered was first sent again; 0: it was not */
    __u32 last_oow_ack_time; /* when a keepalive probe of the peer was last answered */
    __u64 tcp_mstamp;        /* when anything was last sent or received, in us of the same */
    __u32 segs_in;
    __u32 segs_out;
    __u32 packets_out;
    __u32 retrans_out; /* segments sent again and under way */
    __u64 bytes_acked;
    __u64 bytes_received;
    __u32 snd_una;
    __u32 snd_nxt;
    __u32 snd_wnd;
    __u32 mss_cache;
    __u32 write_seq;
    __u32 total_retrans;
    __u32 data_segs_out;
    unsigned int keepalive_time;  /* jiffies; 0: the kernel's */
    unsigned int keepalive_intvl; /* the same */
    __u8 keepalive_probes;        /* 0: the kernel's */
    _Bool is_mptcp;               /* only with CONFIG_MPTCP */
    __u8 fastopen_connect : 1;    /* TCP_FASTOPEN_CONNECT */
};

struct mptcp_subflow_context {
    struct sock* conn; /* its connection, a mptcp_sock */
};

struct mptcp_sock {
    struct sock* first; /* the subflow that began the connection */
};

enum sock_flags {
    SOCK_DEAD,
    SOCK_KEEPOPEN,
};

struct seq_file;

struct bpf_iter_meta {
    struct seq_file* seq;
    __u64 session_id;
    __u64 seq_num;
};

struct bpf_iter__tcp {
    struct bpf_iter_meta* meta;
    struct sock_common* sk_common;
};

struct file;

struct bpf_iter__task_file {
    struct bpf_iter_meta* meta;
    struct task_struct* task;
    __u32 fd;
    struct file* file; /* NULL: the end */
};

#pragma clang attribute pop

/* include/linux/socket.h, include/net/tcp_states.h, include/net/sock.h: constants of the ABI. */
enum {
    AF_INET = 2,
    AF_INET6 = 10,
};

enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT = 2,
    TCP_SYN_RECV = 3,
    TCP_FIN_WAIT1 = 4,
    TCP_FIN_WAIT2 = 5,
    TCP_TIME_WAIT = 6,
    TCP_CLOSE = 7,
    TCP_CLOSE_WAIT = 8,
    TCP_LISTEN = 10,
    TCP_NEW_SYN_RECV = 12,
};

#endif
