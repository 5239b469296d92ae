/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The consumer of a connection: finds a cgroup's index in `consumers`, made at its first governed
 * connection where it matters, and which patterns of `from` it matches. Done here and not by the
 * daemon, so that a unit that starts a moment ago, or while the daemon is dead, is known.
 */
#ifndef BALLAST_BPF_CONSUMER_H
#define BALLAST_BPF_CONSUMER_H

#include "bpf/lib/glob.h"
#include "bpf/tables.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/* Levels of a path that are read; a deeper cgroup counts as its ancestor there. */
#define BALLAST_CGROUP_LEVELS 16

/* A cgroup by its address, a number because the verifier allows no variable offset on a typed
 * pointer, and by its id. */
struct ballast_cgroup {
    __u64 address;
    __u64 id;
};

BALLAST_INLINE struct ballast_cgroup ballast_cgroup_of_task(void) {
    struct task_struct* task = (struct task_struct*)bpf_get_current_task_btf();
    struct ballast_cgroup found = {.address = (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp),
                                   .id = bpf_get_current_cgroup_id()};
    return found;
}

/* The ancestor `level` steps below the root of the hierarchy. */
BALLAST_INLINE struct cgroup* ballast_ancestor(__u64 address, __u32 level) {
    struct cgroup* ancestor = NULL;
    bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
                          (void*)address + bpf_core_field_offset(struct cgroup, ancestors) +
                              (__u64)level * sizeof(ancestor));
    return ancestor;
}

/* Level of the cgroups that share tables fairly, and that breakers tell apart: slices of users,
 * services, slices of pods. What is below belongs together, since users make cgroups of their own
 * there. In a governed subtree it is what is right below that. */
#define BALLAST_GROUP_LEVEL 2
#define BALLAST_MAX_CGROUP_LEVEL 64

/* The inode number of that cgroup around the one at `address`; 0: there is none. */
BALLAST_INLINE __u32 ballast_group_of(__u64 address) {
    struct ballast_control* head = BALLAST_FIRST(control);
    struct cgroup* cgroup = (struct cgroup*)address;
    if (!head || !cgroup)
        return 0;
    int level = head->confined_cgroup ? (int)head->confined_level + 1 : BALLAST_GROUP_LEVEL;
    if (level < BALLAST_MAX_CGROUP_LEVEL && BPF_CORE_READ(cgroup, level) > level)
        cgroup = ballast_ancestor(address, (__u32)level);
    return (__u32)BPF_CORE_READ(cgroup, kn, id);
}

/* A path under construction, in the record that it is for, which has no other writer. */
struct ballast_path {
    struct ballast_consumer* consumer;
    __u64 address; /* of the cgroup */
    __u32 depth;   /* its level below the root of the hierarchy */
    __u32 length;
    __u32 unit_length; /* where the innermost unit's name ends; 0: there is none */
    __u32 reserved;
    __u64 unit; /* its cgroup id */
};

/* The eight characters before `length`, the last one lowest. */
BALLAST_INLINE __u64 ballast_path_tail(const struct ballast_consumer* consumer, __u32 length) {
    __u64 tail = 0;
    for (__u32 i = 8; i > 0; i--)
        tail = tail << 8 | (__u8)consumer->path[(length - i) & (BALLAST_CGROUP_PATH - 1)];
    return tail;
}

#define BALLAST_TAIL_SERVICE 0x2e73657276696365ull /* ".service" */
#define BALLAST_TAIL_SCOPE 0x2e73636f7065ull       /* ".scope" */

/* Whether the path so far ends like a unit that has processes. */
BALLAST_INLINE bool ballast_ends_unit(const struct ballast_consumer* consumer, __u32 length) {
    __u64 tail = ballast_path_tail(consumer, length);
    return length > 8 &&
           (tail == BALLAST_TAIL_SERVICE || (tail & 0xffffffffffffull) == BALLAST_TAIL_SCOPE);
}

/* Appends the name of the ancestor at level `n` + 1; not 0: the path is complete, or full. */
static long ballast_add_name(__u32 n, struct ballast_path* path) {
    struct ballast_consumer* consumer = path->consumer;
    if (n >= path->depth || path->length >= BALLAST_CGROUP_PATH - 1)
        return 1;
    struct cgroup* ancestor = ballast_ancestor(path->address, n + 1);
    const char* name = BPF_CORE_READ(ancestor, kn, name);
    __u32 at = path->length & (BALLAST_CGROUP_PATH - 1);
    consumer->path[at] = '/';
    long got = bpf_probe_read_kernel_str(&consumer->path[at + 1], BALLAST_CGROUP_PATH - 1, name);
    if (got < 1)
        return 1;
    path->length = at + (__u32)got;
    if (path->length < BALLAST_CGROUP_PATH && ballast_ends_unit(consumer, path->length)) {
        path->unit_length = path->length;
        path->unit = BPF_CORE_READ(ancestor, kn, id);
    }
    return 0;
}

BALLAST_INLINE void ballast_end_path(struct ballast_consumer* consumer, __u32 length) {
    if (length >= BALLAST_CGROUP_PATH)
        length = BALLAST_CGROUP_PATH - 1;
    consumer->path[length & (BALLAST_CGROUP_PATH - 1)] = 0;
}

/* An unused record; 0: the table is full. */
static __attribute__((noinline)) __u32 ballast_new_consumer(void) {
    struct ballast_control* head = BALLAST_FIRST(control);
    if (!head)
        return 0;
    __s64 fresh = ballast_new_index(&free_consumers, &head->next_consumer, BALLAST_MAX_CONSUMERS);
    return fresh > 0 ? (__u32)fresh : 0;
}

/* Publishes a filled-in record; its index, or that of a record entered concurrently. */
static __attribute__((noinline)) __u32 ballast_publish_consumer(__u32 index, __u64 id, __u32 unit) {
    struct ballast_consumer* consumer = bpf_map_lookup_elem(&consumers, &index);
    if (!consumer)
        return 0;
    consumer->generation[0] = 0;
    consumer->generation[1] = 0;
    consumer->unit = unit;
    consumer->cgroup = id;
    if (!bpf_map_update_elem(&consumer_index, &id, &index, BPF_NOEXIST))
        return index;
    consumer->cgroup = 0;
    bpf_map_push_elem(&free_consumers, &index, 0);
    __u32* winner = bpf_map_lookup_elem(&consumer_index, &id);
    return winner ? *winner : 0;
}

/* The unit around a cgroup whose path is known: the same path, cut behind the unit's name. */
static __attribute__((noinline)) __u32 ballast_unit_of(const struct ballast_path* path) {
    __u64 id = path ? path->unit : 0;
    __u32* known = bpf_map_lookup_elem(&consumer_index, &id);
    if (known)
        return *known;
    __u32 index = ballast_new_consumer();
    struct ballast_consumer* unit = bpf_map_lookup_elem(&consumers, &index);
    if (!index || !unit || !path)
        return 0;
    __builtin_memcpy(unit->path, path->consumer->path, BALLAST_CGROUP_PATH);
    ballast_end_path(unit, path->unit_length);
    return ballast_publish_consumer(index, id, index);
}

/* The unit first, since those in it refer to it. */
static __attribute__((noinline)) __u32 ballast_enter_consumer(__u64 address, __u64 id) {
    __u32 index = ballast_new_consumer();
    struct ballast_path path = {.address = address};
    path.consumer = bpf_map_lookup_elem(&consumers, &index);
    if (!index || !path.consumer)
        return 0;
    path.depth = (__u32)BPF_CORE_READ((struct cgroup*)address, level);
    bpf_loop(BALLAST_CGROUP_LEVELS, ballast_add_name, &path, 0);
    ballast_end_path(path.consumer, path.length);
    __u32 unit = path.unit && path.unit != id ? ballast_unit_of(&path) : index;
    return ballast_publish_consumer(index, id, unit ? unit : index);
}

/* The cgroup's index in `consumers`; 0 (counted) when the table is full. */
BALLAST_ONCE __u32 ballast_consumer_of(__u64 address, __u64 id) {
    __u32* known = bpf_map_lookup_elem(&consumer_index, &id);
    if (known)
        return *known;
    __u32 index = address ? ballast_enter_consumer(address, id) : 0;
    if (!index)
        BALLAST_COUNT_EVENT(consumers_full);
    return index;
}

struct ballast_globbing {
    struct ballast_globbed of;
    struct ballast_glob glob;
    const __u32* zero;
    enum ballast_glob_result result;
};

/* Or'ing what the verifier cannot know to be 0 keeps it from following each value of each step. */
static long ballast_glob_on(__u32 n, struct ballast_globbing* globbing) {
    __u32 zero = BALLAST_LOAD(*globbing->zero);
    (void)n;
    globbing->glob.p |= zero;
    globbing->glob.t |= zero;
    globbing->glob.star |= zero;
    globbing->glob.resume |= zero;
    globbing->result = ballast_glob_step(&globbing->glob, &globbing->of);
    return globbing->result != BALLAST_GLOB_UNDECIDED;
}

/* Whether an element of `from` names the cgroup (lib/glob.h). */
BALLAST_ONCE int ballast_from_matches(const struct ballast_from_pattern* pattern,
                                      const struct ballast_consumer* consumer) {
    if (!pattern || !consumer)
        return 0;
    struct ballast_globbing globbing = {.of = {.pattern = pattern->text, .path = consumer->path},
                                        .zero = &consumer->zero};
    globbing.result = ballast_glob_begin(&globbing.glob, &globbing.of);
    if (globbing.result == BALLAST_GLOB_UNDECIDED)
        bpf_loop(BALLAST_GLOB_STEPS, ballast_glob_on, &globbing, 0);
    return globbing.result == BALLAST_GLOB_MATCH;
}

struct ballast_matching {
    const struct ballast_consumer* consumer;
    __u32 half;
    __u64 from[BALLAST_FROM_WORDS];
};

static long ballast_match_pattern(__u32 n, struct ballast_matching* matching) {
    __u32 index = matching->half * BALLAST_MAX_FROM + n;
    struct ballast_from_pattern* pattern = bpf_map_lookup_elem(&from_patterns, &index);
    if (!pattern || !pattern->text[0])
        return 1;
    if (ballast_from_matches(pattern, matching->consumer))
        matching->from[(n / 64) & (BALLAST_FROM_WORDS - 1)] |= 1ull << (n % 64);
    return 0;
}

/* Matches a consumer against all patterns of a policy. Two that do so at once write the same. */
BALLAST_INLINE int ballast_match_consumer(struct ballast_consumer* consumer, __u32 half,
                                          __u32 generation) {
    struct ballast_matching matching = {.consumer = consumer, .half = half & 1};
    if (!consumer)
        return -1;
    bpf_loop(BALLAST_MAX_FROM, ballast_match_pattern, &matching, 0);
    for (int i = 0; i < BALLAST_FROM_WORDS; i++)
        consumer->from[half & 1][i] = matching.from[i];
    (void)__sync_lock_test_and_set(&consumer->generation[half & 1], generation);
    return 0;
}

#endif
