/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Addresses as keys: 16 bytes, network byte order, IPv4 as ::ffff:a.b.c.d. */
#ifndef BALLAST_BPF_LIB_ADDRESS_H
#define BALLAST_BPF_LIB_ADDRESS_H

#include <linux/types.h>

#include "bpf/lib/atomic.h"

/* Words of a 16-byte address as the kernel stores them, each in network byte order. */
union ballast_address {
    __u8 bytes[16];
    __u32 words[4];
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BALLAST_BE32(value) __builtin_bswap32(value)
#else
#define BALLAST_BE32(value) (value)
#endif

BALLAST_INLINE void ballast_address_v4(union ballast_address* out, __u32 address_be) {
    out->words[0] = 0;
    out->words[1] = 0;
    out->words[2] = BALLAST_BE32(0x0000ffffu);
    /* connect() to 0.0.0.0 reaches the loopback (net/ipv4/route.c, ip_route_output_key_hash). */
    out->words[3] = address_be ? address_be : BALLAST_BE32(0x7f000001u);
}

BALLAST_INLINE void ballast_address_v6(union ballast_address* out, const __u32 words_be[4]) {
    out->words[0] = words_be[0];
    out->words[1] = words_be[1];
    out->words[2] = words_be[2];
    out->words[3] = words_be[3];
    /* connect() to :: reaches ::1, to ::ffff:0.0.0.0 reaches 127.0.0.1 (net/ipv6/tcp_ipv6.c). */
    if (out->words[0] | out->words[1] | out->words[3])
        return;
    if (!out->words[2])
        out->words[3] = BALLAST_BE32(1u);
    else if (out->words[2] == BALLAST_BE32(0x0000ffffu))
        out->words[3] = BALLAST_BE32(0x7f000001u);
}

#endif
