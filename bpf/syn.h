/* SPDX-License-Identifier: GPL-2.0 */
// clang-format off
/*
 * What a packet that came in is: a SYN that opens a connection, and where to.
 *
 * Invariants
 * Y1. Whatever is not a whole and sound SYN is none: it is the kernel's to judge. A SYN has a header
 *     of right length and checksum (IPv4), a segment that is all there, SYN without ACK, RST and
 *     FIN, and is sent to this host by one address.
 * Y2. A SYN in a first fragment, or behind IPv6 extension headers, is one that nobody decides on.
 * Y3. Headers are read by bpf_skb_load_bytes_relative(), from the network header on, whatever the
 *     device has before it. It sees the first piece of a packet alone; where headers go beyond it,
 *     the packet is put together first. Data (fast open) may be where it likes.
 * Y4. What has a VLAN's tag comes to that VLAN's device next, and is judged there, once.
 */
// clang-format on
#ifndef BALLAST_BPF_SYN_H
#define BALLAST_BPF_SYN_H

#include "bpf/lib/address.h"
#include "bpf/lib/loop.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_ACK = 0x10,
};

#define IPV4_LEAST 20
#define IPV4_MOST 60
#define IPV6_LENGTH 40
#define TCP_LEAST 20
#define MOST_EXTENSIONS 4

enum syn_kind {
    NO_SYN,
    UNDECIDED_SYN, /* Y2 */
    WHOLE_SYN,
};

/* A SYN. Ports in network byte order. */
struct syn {
    union ballast_address source;
    union ballast_address target;
    __u16 source_port;
    __u16 target_port;
    __u32 sequence;  /* network byte order */
    __u32 link;      /* bytes before the network header */
    __u32 transport; /* where TCP begins, from the network header */
    __u32 payload;   /* bytes of data in it */
    __u32 is_ipv6;
};

BALLAST_INLINE bool is_opening(__u8 flags) {
    return (flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

BALLAST_INLINE long load_network(struct __sk_buff* skb, __u32 offset, void* to, __u32 length) {
    return bpf_skb_load_bytes_relative(skb, offset, to, length, BPF_HDR_START_NET);
}

BALLAST_INLINE __u16 word_at(const __u8* bytes) {
    return (__u16)(bytes[0] << 8 | bytes[1]);
}

/* Bytes before the network header: those of Ethernet, or none. */
BALLAST_INLINE __u32 link_length(struct __sk_buff* skb) {
    __u64 here[2], there[2];
    if (bpf_skb_load_bytes(skb, ETH_HLEN, here, sizeof(here)) ||
        load_network(skb, 0, there, sizeof(there)))
        return 0;
    return here[0] == there[0] && here[1] == there[1] ? ETH_HLEN : 0;
}

/* The segment at syn->transport, whose header is `tcp`, of a packet of `length` bytes. */
BALLAST_INLINE enum syn_kind take_segment(struct __sk_buff* skb, const __u8* tcp, __u32 length,
                                          struct syn* syn) {
    __u32 header = (tcp[12] >> 4) * 4;
    syn->link = link_length(skb);
    if (header < TCP_LEAST || syn->transport + header > length || syn->link + length > skb->len ||
        skb->pkt_type != PACKET_HOST)
        return NO_SYN;
    syn->payload = length - syn->transport - header;
    __builtin_memcpy(&syn->source_port, tcp, 2);
    __builtin_memcpy(&syn->target_port, tcp + 2, 2);
    __builtin_memcpy(&syn->sequence, tcp + 4, 4);
    return syn->source_port && syn->target_port ? WHOLE_SYN : NO_SYN;
}

/* Not 0.0.0.0/8, nor multicast, reserved or broadcast. */
BALLAST_INLINE bool is_one_ipv4(__u8 first_byte) {
    return first_byte && first_byte < 224;
}

BALLAST_INLINE bool is_sound_ipv4(const __u8* header, __u32 length) {
    __s64 sum = bpf_csum_diff(0, 0, (__be32*)header, length, 0);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

/* A packet of IPv4 whose header has options: seldom, so apart. */
static __attribute__((noinline)) int load_options(struct __sk_buff* skb, __u8* header) {
    if (!skb || !header)
        return -1;
    __u32 length = (header[0] & 15) * 4;
    if (length < IPV4_LEAST || length > IPV4_MOST)
        return -1;
    return (int)load_network(skb, 0, header, length);
}

static __attribute__((noinline)) int take_ipv4(struct __sk_buff* skb, const __u8* start,
                                               struct syn* syn) {
    __u8 header[IPV4_MOST] = {};
    __u8 tcp[TCP_LEAST];
    if (!skb || !start || !syn)
        return NO_SYN;
    header[0] = start[0];
    __u32 length = (start[0] & 15) * 4;
    if (length < IPV4_LEAST || load_options(skb, header) ||
        load_network(skb, length, tcp, TCP_LEAST) || !is_opening(tcp[13]))
        return NO_SYN;
    if (!is_one_ipv4(header[12]) || !is_one_ipv4(header[16]) || !is_sound_ipv4(header, IPV4_MOST))
        return NO_SYN;
    if (header[6] & 0x20) /* more fragments */
        return UNDECIDED_SYN;
    syn->transport = length;
    syn->is_ipv6 = 0;
    syn->source.words[2] = syn->target.words[2] = bpf_htonl(0x0000ffff);
    syn->source.words[0] = syn->source.words[1] = 0;
    syn->target.words[0] = syn->target.words[1] = 0;
    __builtin_memcpy(&syn->source.words[3], header + 12, 4);
    __builtin_memcpy(&syn->target.words[3], header + 16, 4);
    return take_segment(skb, tcp, word_at(header + 2), syn);
}

/* Loads the first headers of a packet, whose protocol is at `next` of the first `least` bytes: Y3.
 * Seldom, so apart. */
static __attribute__((noinline)) int pull_headers(struct __sk_buff* skb, __u32 least, __u32 next) {
    __u8 start[IPV6_LENGTH] = {};
    if (!skb || least > sizeof(start) || next >= sizeof(start))
        return -1;
    if (least == IPV4_LEAST ? load_network(skb, 0, start, IPV4_LEAST)
                            : load_network(skb, 0, start, IPV6_LENGTH))
        return -1;
    return start[next] == IPPROTO_TCP ? (int)bpf_skb_pull_data(skb, skb->len) : -1;
}

BALLAST_INLINE bool load_headers(struct __sk_buff* skb, __u8* start, __u32 size, __u32 least,
                                 __u32 next) {
    if (!load_network(skb, 0, start, size))
        return true;
    return !pull_headers(skb, least, next) && !load_network(skb, 0, start, size);
}

BALLAST_INLINE enum syn_kind read_ipv4(struct __sk_buff* skb, struct syn* syn) {
    __u8 start[IPV4_LEAST + TCP_LEAST];
    if (!load_headers(skb, start, sizeof(start), IPV4_LEAST, 9) || start[9] != IPPROTO_TCP ||
        start[0] >> 4 != 4 || ((start[6] & 0x1f) | start[7])) /* not the first fragment */
        return NO_SYN;
    if ((start[0] & 15) == 5 && !is_opening(start[IPV4_LEAST + 13]))
        return NO_SYN;
    return take_ipv4(skb, start, syn);
}

/* Whether a SYN is behind the extension headers that `next` begins. */
static __attribute__((noinline)) int is_syn_behind(struct __sk_buff* skb, __u32 next) {
    __u32 at = IPV6_LENGTH;
    __u8 bytes[8];
    if (!skb)
        return 0;
    BALLAST_ROLLED
    for (int i = 0; i < MOST_EXTENSIONS; i++) {
        if (next == IPPROTO_TCP)
            break;
        if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
            next != IPPROTO_FRAGMENT)
            return 0;
        if (load_network(skb, at, bytes, sizeof(bytes)))
            return 0;
        if (next == IPPROTO_FRAGMENT && word_at(bytes + 2) & 0xfff8)
            return 0;
        at += next == IPPROTO_FRAGMENT ? 8 : (bytes[1] + 1u) * 8;
        next = bytes[0];
    }
    __u8 tcp[TCP_LEAST];
    return next == IPPROTO_TCP && !load_network(skb, at, tcp, TCP_LEAST) && is_opening(tcp[13]);
}

static __attribute__((noinline)) int take_ipv6(struct __sk_buff* skb, const __u8* header,
                                               struct syn* syn) {
    if (!skb || !header || !syn)
        return NO_SYN;
    syn->transport = IPV6_LENGTH;
    syn->is_ipv6 = 1;
    __builtin_memcpy(&syn->source, header + 8, 16);
    __builtin_memcpy(&syn->target, header + 24, 16);
    if (syn->source.bytes[0] == 0xff || syn->target.bytes[0] == 0xff ||
        !(syn->source.words[0] | syn->source.words[1] | syn->source.words[2] |
          syn->source.words[3]))
        return NO_SYN;
    return take_segment(skb, header + IPV6_LENGTH, IPV6_LENGTH + word_at(header + 4), syn);
}

BALLAST_INLINE enum syn_kind read_ipv6(struct __sk_buff* skb, struct syn* syn) {
    __u8 start[IPV6_LENGTH + TCP_LEAST];
    if (!load_headers(skb, start, sizeof(start), IPV6_LENGTH, 6) || start[0] >> 4 != 6)
        return NO_SYN;
    if (start[6] != IPPROTO_TCP)
        return start[6] != IPPROTO_UDP && is_syn_behind(skb, start[6]) ? UNDECIDED_SYN : NO_SYN;
    return is_opening(start[IPV6_LENGTH + 13]) ? take_ipv6(skb, start, syn) : NO_SYN;
}

/* Y4. Priority tags have number 0. */
BALLAST_INLINE bool is_of_vlan(const struct __sk_buff* skb) {
    return skb->vlan_present && skb->vlan_tci & 0x0fff;
}

BALLAST_INLINE enum syn_kind read_syn(struct __sk_buff* skb, struct syn* syn) {
    if (is_of_vlan(skb))
        return NO_SYN;
    if (skb->protocol == bpf_htons(ETH_P_IP))
        return read_ipv4(skb, syn);
    return skb->protocol == bpf_htons(ETH_P_IPV6) ? read_ipv6(skb, syn) : NO_SYN;
}

#endif
