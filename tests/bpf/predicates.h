/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What goes into and comes out of the test program: one call of one predicate of bpf/lib. */
#ifndef BALLAST_TESTS_BPF_PREDICATES_H
#define BALLAST_TESTS_BPF_PREDICATES_H

#include "bpf/abi.h"

enum predicate {
    PREDICATE_TAKE,
    PREDICATE_GIVE_BACK,
    PREDICATE_BUCKET_CHOICE,
    PREDICATE_BUCKET_INSERT,
    PREDICATE_BUCKET_FIND,
    PREDICATE_ENTRY_CONFIRM,
    PREDICATE_ENTRY_RELEASE,
    PREDICATE_PORT_ROW,
    PREDICATE_OVER_LIMIT,
    PREDICATE_REFUSAL_ERRNO,
    PREDICATE_ADDRESS_V4,
    PREDICATE_ADDRESS_V6,
    PREDICATES,
};

/* Each predicate uses the fields it needs; all that it may change comes back. */
struct predicate_call {
    __u32 predicate;
    __s32 result;
    __u64 cookie;
    __u64 now_ns;
    __u32 in_use;
    __u32 max;
    __u32 destination;
    __u32 netns;
    __u32 place; /* of an entry in the bucket; choice of a bucket */
    __u16 port;
    __u8 mode;
    __u8 on_limit;
    __u32 words[4];
    struct ballast_bucket bucket;
    struct ballast_control control;
    struct ballast_prefix_rule rule;
};

#endif
