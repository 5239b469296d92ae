/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Loops that clang would unroll into most of a program. The verifier walks every iteration
 * either way.
 */
#ifndef BALLAST_BPF_LIB_LOOP_H
#define BALLAST_BPF_LIB_LOOP_H

#ifdef __clang__
#define BALLAST_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define BALLAST_ROLLED
#endif

#endif
