/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
// clang-format off
/*
 * One bucket of the reservation table, and the life of a reservation.
 *
 *            connect()              SYN_SENT                  CLOSE
 *   (none) ------------> pending ------------> established ----------> (none)
 *      |                    |                                   ^
 *      |                    +-- next connect(), destruction,    |
 *      |                        or seen pending twice by daemon -> (none)
 *      +-- met by a sweep, older than Ballast or than its policy (adopted) --> established
 *
 * CLOSE is seen by sockops on sockets that it watches (bpf/watch.h), by the tracepoint on others; a
 * socket that never left it, by cgroup/sock_release. What two of them see is released once (R2).
 *
 * TIME_WAIT holds nothing: the full socket reaches CLOSE when it is replaced by its TIME_WAIT
 * mini-socket (net/ipv4/tcp_minisocks.c, tcp_time_wait() ends in tcp_done()).
 *
 * Invariants
 * R1  A socket has at most one entry. Only its own connect() (under the socket lock) and the sweep
 *     (under the socket lock too: bpf_iter_tcp_seq_show() takes it) insert, and both look first. The
 *     pass over files inserts without the lock: an entry that it makes while the socket reconnects
 *     or ends is one too many until the socket is destroyed (bpf/sweep_files.bpf.c).
 * R2  An entry is released once: only the caller that swaps its cookie to 0 gives the place back.
 *     Cookies are never reused, so a swap that succeeds hit the entry that was read before.
 * R3  What an entry holds is written between claim and publication of its cookie, and later changed
 *     only by swaps that name the old value.
 * R4  destinations[d].in_use is the number of entries that hold destination d, totals[s].in_use that of
 *     entries whose destination is of service s, shares[i].in_use that of entries that hold that share;
 *     but for the moment between the writes of an insertion (counts first) or a release (entry first).
 * R5  These places are never given back without their entry, nor entries dropped without their place:
 *     a program or a daemon that dies between two writes leaves a count that is too high, which the
 *     sweep reports as drift and corrects when it sees it twice.
 */
// clang-format on
#ifndef BALLAST_BPF_LIB_RESERVATION_H
#define BALLAST_BPF_LIB_RESERVATION_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

/*
 * The n-th bucket in which `cookie` may sit. Cookies are handed out in sequence, so their low bits
 * spread evenly; further choices must not be neighbours of the first, or full runs would merge.
 */
BALLAST_INLINE __u32 ballast_bucket_choice(__u64 cookie, __u32 n) {
    __u64 stride = ((cookie * 0x9e3779b97f4a7c15ull) >> 40) | 1;
    return (__u32)(cookie + n * stride) & (BALLAST_BUCKETS - 1);
}

/* Index of `cookie` in the bucket, or -1. */
BALLAST_INLINE int ballast_bucket_find(const struct ballast_bucket* bucket, __u64 cookie) {
    for (int i = 0; i < BALLAST_BUCKET_WIDTH; i++)
        if (BALLAST_LOAD(bucket->entries[i].cookie) == cookie)
            return i;
    return -1;
}

/* Writes an entry into a free place of the bucket and publishes it last (R3); its index, or -1. */
BALLAST_INLINE int ballast_bucket_insert(struct ballast_bucket* bucket, __u64 cookie, __u32 held,
                                         __u32 netns) {
    for (int i = 0; i < BALLAST_BUCKET_WIDTH; i++) {
        struct ballast_reservation* entry = &bucket->entries[i];
        if (BALLAST_LOAD(entry->cookie))
            continue;
        if (!ballast_swap_if_u64(&entry->cookie, 0, BALLAST_CLAIMED))
            continue;
        entry->held = held;
        entry->netns = netns;
        (void)__sync_lock_test_and_set(&entry->cookie, cookie);
        return i;
    }
    return -1;
}

/* Removes the entry (R2); true, with what it held, for the one caller that did. */
BALLAST_INLINE bool ballast_entry_release(struct ballast_reservation* entry, __u64 cookie,
                                          __u32* held) {
    *held = BALLAST_LOAD(entry->held) & ~BALLAST_PENDING;
    return ballast_swap_if_u64(&entry->cookie, cookie, 0);
}

/* Changes the flags of an entry. A swap, since the daemon may have reclaimed the entry and another
 * socket may be writing it (R3); true if it was made. */
BALLAST_INLINE bool ballast_entry_change(struct ballast_reservation* entry, __u32 held,
                                         __u32 wanted) {
    return held == wanted || ballast_swap_if_u32(&entry->held, held, wanted);
}

/* SYN_SENT was reached: the reservation is a connection's. */
BALLAST_INLINE void ballast_entry_confirm(struct ballast_reservation* entry) {
    __u32 held = BALLAST_LOAD(entry->held);
    (void)ballast_entry_change(entry, held, held & ~BALLAST_PENDING);
}

BALLAST_INLINE __u32 ballast_held_destination(__u32 held) {
    return held & BALLAST_HELD_DESTINATION;
}

BALLAST_INLINE __u32 ballast_held_consumer(__u32 held) {
    return (held & BALLAST_HELD_CONSUMER) >> BALLAST_HELD_CONSUMER_SHIFT;
}

#endif
