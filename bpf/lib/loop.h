/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * BALLAST_ROLLED: loops that clang would unroll into most of a program. The verifier walks every
 * iteration either way.
 * BALLAST_STEP: what such a loop calls, which the verifier looks at once, by itself, and not on
 * each way through each iteration. It knows nothing of the arguments then: pointers may be NULL,
 * and must not be where a program calls. Weak, since several programs' objects have it.
 */
#ifndef BALLAST_BPF_LIB_LOOP_H
#define BALLAST_BPF_LIB_LOOP_H

#ifdef __clang__
#define BALLAST_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define BALLAST_ROLLED
#endif

#ifdef __bpf__
#define BALLAST_STEP __attribute__((weak, noinline))
#else
#define BALLAST_STEP static inline
#endif

#endif
