/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Atomics with the same spelling for the programs (clang, BPF instructions with -mcpu=v3, all fully
 * ordered) and for user space, which works on the same words through mmap.
 */
#ifndef BALLAST_BPF_LIB_ATOMIC_H
#define BALLAST_BPF_LIB_ATOMIC_H

#include <linux/types.h>

#ifndef __cplusplus
#include <stdbool.h>
#endif

#define BALLAST_INLINE static inline __attribute__((always_inline))

/* One load that the compiler may neither repeat nor split. */
#define BALLAST_LOAD(word) (*(const volatile __typeof__(word)*)&(word))

/* `index`, which is below `bound`, with a check that the compiler cannot leave out: the verifier
 * forgets the bounds of a number that had to leave its register. */
BALLAST_INLINE __u32 ballast_bounded(__u32 index, __u32 bound) {
    __asm__ volatile("" : "+r"(index));
    return index < bound ? index : 0;
}

/* Puts `wanted` in place if *word is `expected`; true if it did. */
BALLAST_INLINE bool ballast_swap_if_u32(__u32* word, __u32 expected, __u32 wanted) {
    return __sync_val_compare_and_swap(word, expected, wanted) == expected;
}

BALLAST_INLINE bool ballast_swap_if_u64(__u64* word, __u64 expected, __u64 wanted) {
    return __sync_val_compare_and_swap(word, expected, wanted) == expected;
}

BALLAST_INLINE void ballast_count(__u64* counter) {
    __sync_fetch_and_add(counter, 1);
}

#endif
