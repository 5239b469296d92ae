/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes of a SYN the RST that refuses it, in place, and sends it back by the device that it came in
 * by, with the VLAN tag that it had.
 *
 * Invariants
 * X1. It acknowledges the SYN and the data in it (RFC 9293, 3.10.7.1), so that its sender takes it
 *     for the answer, whatever it had sent.
 * X2. IP options become NOPs, as they may ask routers for something, and TCP stays where it was.
 * X3. The checksum is right whether the device completes it or not, which a program cannot see: for
 *     a sender on this host it does (CHECKSUM_PARTIAL), and it takes what is in the field for the
 *     sum P of the pseudo header. The window, which nobody reads in a RST, is chosen so that the
 *     whole checksum is P as well: with S for the segment without it, S + window + P = -P.
 */
#ifndef BALLAST_BPF_RST_H
#define BALLAST_BPF_RST_H

#include "bpf/syn.h"

#include <linux/pkt_cls.h>

#define HOPS 64
#define IPV4_NOP 1

BALLAST_INLINE __u16 folded(__u64 sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)sum;
}

/* Sum of the pseudo header, as words are in memory. */
BALLAST_INLINE __u64 pseudo_sum(const struct syn* syn) {
    __u64 sum = (__u64)bpf_htons(IPPROTO_TCP) + bpf_htons(TCP_LEAST) + syn->source.words[3] +
                syn->target.words[3];
    if (syn->is_ipv6)
        sum += (__u64)syn->source.words[0] + syn->source.words[1] + syn->source.words[2] +
               syn->target.words[0] + syn->target.words[1] + syn->target.words[2];
    return sum;
}

struct segment {
    __u16 source;
    __u16 target;
    __u32 sequence;
    __u32 acknowledged;
    __u16 flags; /* and the header's length */
    __u16 window;
    __u16 checksum;
    __u16 urgent;
};

BALLAST_INLINE void fill_segment(const struct syn* syn, struct segment* tcp) {
    __u16 pseudo = folded(pseudo_sum(syn));
    tcp->source = syn->target_port;
    tcp->target = syn->source_port;
    tcp->sequence = 0;
    tcp->acknowledged = bpf_htonl(bpf_ntohl(syn->sequence) + 1 + syn->payload);
    tcp->flags = bpf_htons(TCP_LEAST / 4 << 12 | TCP_RST | TCP_ACK);
    tcp->urgent = 0;
    __u64 sum = (__u64)tcp->source + tcp->target + tcp->acknowledged + tcp->flags;
    tcp->window = (__u16)~folded(sum + 2ull * pseudo); /* X3 */
    tcp->checksum = (__u16)~folded(sum + tcp->window + pseudo);
}

BALLAST_INLINE void fill_ipv4(const struct syn* syn, __u8* header) {
    __u16 length = bpf_htons((__u16)(syn->transport + TCP_LEAST));
    __builtin_memset(header, IPV4_NOP, IPV4_MOST); /* X2 */
    header[0] = (__u8)(0x40 | syn->transport / 4);
    header[1] = 0;
    __builtin_memcpy(header + 2, &length, 2);
    header[4] = header[5] = 0;
    header[6] = 0x40; /* do not fragment */
    header[7] = 0;
    header[8] = HOPS;
    header[9] = IPPROTO_TCP;
    header[10] = header[11] = 0;
    __builtin_memcpy(header + 12, &syn->target.words[3], 4);
    __builtin_memcpy(header + 16, &syn->source.words[3], 4);
    const __u16* words = (const __u16*)header;
    __u64 sum = 0;
#pragma GCC unroll 30
    for (__u32 i = 0; i < IPV4_MOST / 2; i++)
        if (i < syn->transport / 2)
            sum += words[i];
    __u16 checksum = (__u16)~folded(sum);
    __builtin_memcpy(header + 10, &checksum, 2);
}

BALLAST_INLINE void fill_ipv6(const struct syn* syn, __u8* header) {
    __builtin_memset(header, 0, IPV6_LENGTH);
    header[0] = 0x60;
    header[5] = TCP_LEAST;
    header[6] = IPPROTO_TCP;
    header[7] = HOPS;
    __builtin_memcpy(header + 8, &syn->target, 16);
    __builtin_memcpy(header + 24, &syn->source, 16);
}

BALLAST_INLINE long swap_link(struct __sk_buff* skb) {
    __u8 addresses[2 * ETH_ALEN], swapped[2 * ETH_ALEN];
    if (bpf_skb_load_bytes(skb, 0, addresses, sizeof(addresses)))
        return -1;
    __builtin_memcpy(swapped, addresses + ETH_ALEN, ETH_ALEN);
    __builtin_memcpy(swapped + ETH_ALEN, addresses, ETH_ALEN);
    return bpf_skb_store_bytes(skb, 0, swapped, sizeof(swapped), 0);
}

/* What to return for the packet: TC_ACT_SHOT where no RST could be made. */
BALLAST_STEP int ballast_refuse(struct __sk_buff* skb, const struct syn* syn) {
    __u8 header[IPV4_MOST];
    struct segment tcp = {};
    if (!skb || !syn)
        return TC_ACT_SHOT;
    __u32 link = syn->link, transport = syn->transport;
    if (transport < IPV4_LEAST || transport > IPV4_MOST || link > ETH_HLEN)
        return TC_ACT_SHOT;
    if (bpf_skb_change_tail(skb, link + transport + TCP_LEAST, 0) || (link && swap_link(skb)))
        return TC_ACT_SHOT;
    if (syn->is_ipv6)
        fill_ipv6(syn, header);
    else
        fill_ipv4(syn, header);
    fill_segment(syn, &tcp);
    if (bpf_skb_store_bytes(skb, link, header, transport, BPF_F_RECOMPUTE_CSUM) ||
        bpf_skb_store_bytes(skb, link + transport, &tcp, sizeof(tcp), BPF_F_RECOMPUTE_CSUM))
        return TC_ACT_SHOT;
    return (int)bpf_redirect(skb->ifindex, 0);
}

#endif
