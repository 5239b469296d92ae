/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Does an element of a service's `from` hold for a cgroup?
 *
 * A pattern that begins with "/" is compared to the path from its beginning, any other to each
 * component. '*' stands for any characters, none too, '?' for one, neither for "/"; all others for
 * themselves, '[' and '\' too. A match ends where a component does: what lies below matches too.
 * Paths are the kernel's: "/" or "/a/b", without empty components.
 *
 * One step looks at one character of each, so that a program may count them with bpf_loop(). To go
 * back to the last '*' is enough: an earlier one could not move the "/" after which the last
 * stands. A comparison that is not decided after BALLAST_GLOB_STEPS counts as no match; it takes a
 * pattern that repeats itself ("*aaaaaaaaab") and a path that does.
 */
#ifndef BALLAST_BPF_LIB_GLOB_H
#define BALLAST_BPF_LIB_GLOB_H

#include "bpf/abi.h"
#include "bpf/lib/atomic.h"

#define BALLAST_GLOB_STEPS 2048

/* Value of `p` on the way to the next component. */
#define BALLAST_GLOB_SKIP BALLAST_FROM_LENGTH

enum ballast_glob_result {
    BALLAST_GLOB_UNDECIDED,
    BALLAST_GLOB_MATCH,
    BALLAST_GLOB_NO_MATCH,
};

/* A comparison under way. */
struct ballast_glob {
    __u32 p;      /* next character of the pattern */
    __u32 t;      /* next character of the path */
    __u32 star;   /* place behind the last '*' in this component; 0: there was none */
    __u32 resume; /* where the path goes on if that '*' takes no more */
};

/* The two strings to compare. */
struct ballast_globbed {
    const char* pattern; /* BALLAST_FROM_LENGTH bytes */
    const char* path;    /* BALLAST_CGROUP_PATH bytes */
};

BALLAST_INLINE char ballast_glob_wanted(const struct ballast_globbed* of, __u32 at) {
    return of->pattern[at & (BALLAST_FROM_LENGTH - 1)];
}

BALLAST_INLINE char ballast_glob_given(const struct ballast_globbed* of, __u32 at) {
    return of->path[at & (BALLAST_CGROUP_PATH - 1)];
}

BALLAST_INLINE bool ballast_glob_ends(char c) {
    return !c || c == '/';
}

/* To be called once. "/" holds for every path, and nothing else holds for the path "/". */
BALLAST_INLINE enum ballast_glob_result ballast_glob_begin(struct ballast_glob* glob,
                                                           const struct ballast_globbed* of) {
    bool from_the_root = of->pattern[0] == '/';
    glob->p = 0;
    glob->t = from_the_root ? 0 : 1;
    glob->star = 0;
    glob->resume = 0;
    if (from_the_root && !of->pattern[1])
        return BALLAST_GLOB_MATCH;
    return of->path[0] && of->path[1] ? BALLAST_GLOB_UNDECIDED : BALLAST_GLOB_NO_MATCH;
}

/* One character on the way to the next component. */
BALLAST_INLINE enum ballast_glob_result ballast_glob_skip(struct ballast_glob* glob, char given) {
    if (!given)
        return BALLAST_GLOB_NO_MATCH;
    glob->t++;
    if (given == '/') {
        glob->p = 0;
        glob->star = 0;
    }
    return BALLAST_GLOB_UNDECIDED;
}

/* The characters differ: the last '*' takes one more, or the comparison goes to the next component.
 */
BALLAST_INLINE enum ballast_glob_result ballast_glob_differs(struct ballast_glob* glob,
                                                             const struct ballast_globbed* of) {
    if (glob->star && !ballast_glob_ends(ballast_glob_given(of, glob->resume))) {
        glob->p = glob->star;
        glob->t = ++glob->resume;
        return BALLAST_GLOB_UNDECIDED;
    }
    if (of->pattern[0] == '/')
        return BALLAST_GLOB_NO_MATCH;
    glob->p = BALLAST_GLOB_SKIP;
    return BALLAST_GLOB_UNDECIDED;
}

BALLAST_INLINE enum ballast_glob_result ballast_glob_step(struct ballast_glob* glob,
                                                          const struct ballast_globbed* of) {
    char wanted = ballast_glob_wanted(of, glob->p);
    char given = ballast_glob_given(of, glob->t);
    bool ends = ballast_glob_ends(given);
    if (glob->p == BALLAST_GLOB_SKIP)
        return ballast_glob_skip(glob, given);
    if (!wanted && ends)
        return BALLAST_GLOB_MATCH;
    if (wanted == '*') {
        glob->star = ++glob->p;
        glob->resume = glob->t;
        return BALLAST_GLOB_UNDECIDED;
    }
    if (wanted == given || (wanted == '?' && !ends)) {
        glob->p++;
        glob->t++;
        return BALLAST_GLOB_UNDECIDED;
    }
    return ballast_glob_differs(glob, of);
}

#endif
