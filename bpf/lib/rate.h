/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
// clang-format off
/*
 * A rate with a burst on one word: the generic cell rate algorithm as virtual scheduling (ITU-T
 * I.371, annex A.1; ATM Forum TM 4.0, section 4.4). The word is the theoretical arrival time (TAT)
 * of the next; one that arrives at `t` conforms if t >= TAT - L, and then TAT = max(t, TAT) + I.
 * Here I = interval_ns and L = burst_ns - interval_ns.
 *
 * Invariants
 * G1  Between the first and any later taking, elapsed_ns apart, at most
 *     (burst_ns + elapsed_ns) / interval_ns are taken, whatever takes at the same time: each moves the
 *     word by at least interval_ns in one swap, and none past now_ns + burst_ns.
 * G2  One that is over changes nothing, so asking often does not push the next one away.
 *
 * A word that a policy of a longer burst left behind holds everybody up for as long as that burst
 * was: who puts a shorter one in force lowers the word or starts it from 0.
 */
// clang-format on
#ifndef BALLAST_BPF_LIB_RATE_H
#define BALLAST_BPF_LIB_RATE_H

#include "bpf/lib/atomic.h"
#include "bpf/lib/loop.h"

enum ballast_rate_result {
    BALLAST_RATE_TAKEN = 0,
    BALLAST_RATE_OVER = 1,
    BALLAST_RATE_CONTENDED = 2, /* lost BALLAST_RATE_TRIES races in a row: nothing was taken */
};

#define BALLAST_RATE_TRIES 16

/*
 * Takes one. interval_ns: 10^9 / rate, 0: no limit. burst_ns: how many may come at once times
 * interval_ns; less than one interval counts as one. *tat_ns starts from 0. now_ns:
 * CLOCK_MONOTONIC.
 */
BALLAST_INLINE enum ballast_rate_result ballast_rate_take(__u64* tat_ns, __u64 interval_ns,
                                                          __u64 burst_ns, __u64 now_ns) {
    __u64 tolerance = burst_ns > interval_ns ? burst_ns - interval_ns : 0;
    if (!interval_ns)
        return BALLAST_RATE_TAKEN;
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_RATE_TRIES; i++) {
        __u64 tat = BALLAST_LOAD(*tat_ns);
        __u64 due = tat > now_ns ? tat : now_ns;
        if (due - now_ns > tolerance)
            return BALLAST_RATE_OVER;
        if (ballast_swap_if_u64(tat_ns, tat, due + interval_ns))
            return BALLAST_RATE_TAKEN;
    }
    return BALLAST_RATE_CONTENDED;
}

#endif
