/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
// clang-format off
/*
 * The sliding window in which a breaker counts failures by kind, and connects that were established
 * as one kind more: BALLAST_BREAKER_SLOTS words a kind, each of the low 16 bits of a slot's number since boot and a count of 16 bits that
 * saturates.
 *
 *   newest   generation 8 | width of a slot in ms 19 | number of the slot 37
 *
 * `newest` names the last slot in which anything was recorded. 37 bits last 4 years at slots of
 * 1 ms and 500 years at windows of 1 s; 19 bits hold windows of up to 69 minutes, longer ones count
 * as that.
 *
 * Invariants
 * W1  A window belongs to one generation of the breaker's word and to one width: the swap that moves
 *     the word has emptied the window in the same instant, and so does a policy of another window.
 *     The words are wiped by the next failure that is recorded, before it puts `newest` in place;
 *     until then a reader finds a foreign `newest`, and 0.
 * W2  A wipe takes nothing that belongs to the window it makes room for: each word was read before
 *     `newest` was found unchanged, thus before anybody could record under the next one, and is
 *     swapped out only as it was read.
 * W3  No word older than the window survives a step of `newest`, so 16 bits identify slots for
 *     ever, not for 65,536 slots only.
 * W4  Each failure is counted once. Exceptions, each of one failure for each CPU that is held up
 *     between two instructions: one that was observed while the word moved may be counted in the new
 *     generation or in none; one that is older than the window is dropped, or sits in its word unseen
 *     until that is wiped. A breaker then opens by that one failure sooner or later.
 */
// clang-format on
#ifndef BALLAST_BPF_LIB_BREAKER_WINDOW_H
#define BALLAST_BPF_LIB_BREAKER_WINDOW_H

#include "bpf/lib/breaker_word.h"

#define BALLAST_WINDOW_WIDTH_BITS 19
#define BALLAST_WINDOW_SLOT_BITS 37
#define BALLAST_WINDOW_MAX_WIDTH_MS ((1u << BALLAST_WINDOW_WIDTH_BITS) - 1)
#define BALLAST_WINDOW_MAX_COUNT 0xffffu

/* From here on a count is left to swaps, so that additions of all CPUs at once do not overflow. */
#define BALLAST_WINDOW_ADDABLE 0xf000u

BALLAST_INLINE __u64* ballast_window_newest(struct ballast_breaker* breaker) {
    return &breaker->newest;
}

BALLAST_INLINE __u32 ballast_window_width_ms(const struct ballast_breaker_limits* limits) {
    __u32 width = limits->window_ms / BALLAST_BREAKER_SLOTS;
    if (!width)
        return 1;
    return width < BALLAST_WINDOW_MAX_WIDTH_MS ? width : BALLAST_WINDOW_MAX_WIDTH_MS;
}

/* `newest` of a failure recorded at `now_ms` under `word`. */
BALLAST_INLINE __u64 ballast_window_place(__u64 word, const struct ballast_breaker_limits* limits,
                                          __u64 now_ms) {
    __u64 width = ballast_window_width_ms(limits);
    __u64 slot = (now_ms / width) & ((1ull << BALLAST_WINDOW_SLOT_BITS) - 1);
    __u64 owner = (__u64)ballast_breaker_generation(word) << BALLAST_WINDOW_WIDTH_BITS | width;
    return owner << BALLAST_WINDOW_SLOT_BITS | slot;
}

/* Same generation, same width: the numbers of slots can be compared. */
BALLAST_INLINE bool ballast_window_is_same(__u64 place, __u64 other) {
    return !((place ^ other) >> BALLAST_WINDOW_SLOT_BITS);
}

/* Counts of `kind` (< BALLAST_BREAKER_COUNTS) in the last `slots` of the window that ends `here`.
 */
BALLAST_STEP __u32 ballast_window_sum(struct ballast_breaker* breaker, __u64 here, __u32 kind,
                                      __u32 slots) {
    if (!breaker)
        return 0;
    __u64 newest = BALLAST_LOAD(*ballast_window_newest(breaker));
    __u32 sum = 0;
    if (!ballast_window_is_same(here, newest) || here >= newest + BALLAST_BREAKER_SLOTS)
        return 0;
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_BREAKER_SLOTS; i++) {
        __u32 slot =
            BALLAST_LOAD(breaker->counts[ballast_bounded(kind, BALLAST_BREAKER_COUNTS)][i]);
        __u32 age = (__u32)(here - (slot >> 16)) & 0xffff;
        /* No branch: the verifier would follow both ways of each slot. */
        sum += (slot & BALLAST_WINDOW_MAX_COUNT) * ((age - slots) >> 31);
    }
    return sum;
}

/* Empties slot `i` of all kinds (W2); false where `newest` is no longer `expected`. */
BALLAST_STEP int ballast_window_wipe_slot(struct ballast_breaker* breaker, __u32 i,
                                          __u64 expected) {
    if (!breaker)
        return false;
    BALLAST_ROLLED
    for (__u32 kind = 0; kind < BALLAST_BREAKER_COUNTS; kind++) {
        __u32* slot = &breaker->counts[ballast_bounded(kind, BALLAST_BREAKER_COUNTS)]
                                      [i & (BALLAST_BREAKER_SLOTS - 1)];
        __u32 old = BALLAST_LOAD(*slot);
        if (BALLAST_LOAD(*ballast_window_newest(breaker)) != expected)
            return false;
        if (old)
            (void)ballast_swap_if_u32(slot, old, 0);
    }
    return true;
}

/* Empties the slots that a step of `newest` to `here` leaves behind: all, if it is another window.
 */
BALLAST_INLINE bool ballast_window_wipe(struct ballast_breaker* breaker, __u64 newest, __u64 here) {
    bool same = ballast_window_is_same(newest, here);
    BALLAST_ROLLED
    for (__u32 i = 0; i < BALLAST_BREAKER_SLOTS; i++) {
        __u64 becomes = here - ((here - i) & (BALLAST_BREAKER_SLOTS - 1));
        if (same && becomes <= newest)
            continue;
        if (!ballast_window_wipe_slot(breaker, i, newest))
            return false;
    }
    return true;
}

/*
 * Makes `newest` reach `now_ms` and says where that is in *here; false where it has left now_ms
 * behind by a whole window. Gives up (false) when others have moved the window at each try. The
 * word is read twice so that a `newest` of a later generation is not taken for an earlier one.
 */
BALLAST_INLINE bool ballast_window_reach(struct ballast_breaker* breaker,
                                         const struct ballast_breaker_limits* limits, __u64 now_ms,
                                         __u64* here) {
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_BREAKER_TRIES / 4; i++) {
        __u64 word = BALLAST_LOAD(breaker->word);
        __u64 newest = BALLAST_LOAD(*ballast_window_newest(breaker));
        bool same = false;
        *here = ballast_window_place(word, limits, now_ms);
        same = ballast_window_is_same(newest, *here);
        if (same && *here <= newest)
            return *here + BALLAST_BREAKER_SLOTS > newest;
        if (BALLAST_LOAD(breaker->word) != word || !ballast_window_wipe(breaker, newest, *here))
            continue;
        if (ballast_swap_if_u64(ballast_window_newest(breaker), newest, *here))
            return true;
    }
    return false;
}

/* After BALLAST_BREAKER_TRIES lost races: loses none, but stops short of the highest counts. */
BALLAST_INLINE void ballast_window_add_contended(__u32* slot, __u16 number) {
    __u32 old = BALLAST_LOAD(*slot);
    if (old >> 16 == number && (old & BALLAST_WINDOW_MAX_COUNT) < BALLAST_WINDOW_ADDABLE)
        (void)__sync_fetch_and_add(slot, 1);
}

/* One more in `slot`, whose number ends in `number`, unless it has become a later one's. */
BALLAST_INLINE void ballast_window_add(__u32* slot, __u16 number) {
    BALLAST_ROLLED
    for (int i = 0; i < BALLAST_BREAKER_TRIES; i++) {
        __u32 old = BALLAST_LOAD(*slot);
        __u16 ahead = (__u16)((old >> 16) - number);
        if (old && ahead && ahead < 0x8000)
            return;
        if (!ahead && (old & BALLAST_WINDOW_MAX_COUNT) == BALLAST_WINDOW_MAX_COUNT)
            return;
        if (ballast_swap_if_u32(slot, old, ahead ? (__u32)number << 16 | 1 : old + 1))
            return;
    }
    ballast_window_add_contended(slot, number);
}

/* Counts one of `kind` (< BALLAST_BREAKER_COUNTS) at `now_ms`. */
BALLAST_INLINE void ballast_window_record(struct ballast_breaker* breaker,
                                          const struct ballast_breaker_limits* limits, __u32 kind,
                                          __u64 now_ms) {
    __u64 here = 0;
    if (ballast_window_reach(breaker, limits, now_ms, &here))
        ballast_window_add(&breaker->counts[ballast_bounded(kind, BALLAST_BREAKER_COUNTS)]
                                           [here & (BALLAST_BREAKER_SLOTS - 1)],
                           (__u16)here);
}

/* Successes of before the breaker was made, which nobody else has touched yet. They are in the
 * window, but not in its last quarter. */
BALLAST_INLINE void ballast_window_begin(struct ballast_breaker* breaker,
                                         const struct ballast_breaker_limits* limits, __u32 count,
                                         __u64 now_ms) {
    __u64 here = 0;
    if (count >= BALLAST_WINDOW_ADDABLE)
        count = BALLAST_WINDOW_ADDABLE - 1;
    if (count && ballast_window_reach(breaker, limits, now_ms, &here))
        (void)ballast_swap_if_u32(
            &breaker->counts[BALLAST_BREAKER_SUCCESS]
                            [(here - BALLAST_BREAKER_SLOTS / 4) & (BALLAST_BREAKER_SLOTS - 1)],
            0, (__u32)((here - BALLAST_BREAKER_SLOTS / 4) & 0xffff) << 16 | count);
}

#endif
