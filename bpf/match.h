/* SPDX-License-Identifier: GPL-2.0 */
/* Which service governs a connection: the prefix, the port, then who opens it. */
#ifndef BALLAST_BPF_MATCH_H
#define BALLAST_BPF_MATCH_H

#include "bpf/consumer.h"

/* The consumer that opens the connection, looked up only where it matters. */
struct ballast_who {
    struct ballast_cgroup cgroup;
    __u32 consumer; /* 0: not looked up, or none */
    __u32 looked;
};

BALLAST_INLINE __u32 ballast_who_is_it(struct ballast_who* who) {
    if (!who->looked) {
        who->looked = 1;
        if (!who->cgroup.id)
            who->cgroup = ballast_cgroup_of_task();
        who->consumer = ballast_consumer_of(who->cgroup.address, who->cgroup.id);
    }
    return who->consumer;
}

struct ballast_choice {
    struct ballast_consumer* who;
    __u32 index; /* of the alternative to look at next */
    __u32 row;
};

static long ballast_try_alternative(__u32 n, struct ballast_choice* choice) {
    (void)n;
    __u32 index = choice->index;
    __u32 half = (index / BALLAST_MAX_ALTERNATIVES) & 1;
    struct ballast_alternative* alternative = bpf_map_lookup_elem(&alternatives, &index);
    if (!alternative)
        return 1;
    if (BALLAST_LOAD(choice->who->generation[half]) != alternative->generation)
        ballast_match_consumer(choice->who, half, alternative->generation);
    if (ballast_alternative_takes(alternative, choice->who->from[half])) {
        choice->row = alternative->row;
        return 1;
    }
    choice->index = alternative->next & ~BALLAST_ALTERNATIVE;
    return !alternative->next;
}

/* Row of the first alternative from `index` on that takes the consumer; 0: none. Consumer 0, who
 * has no path, matches no pattern. */
BALLAST_ONCE __u32 ballast_choose_alternative(__u32 index, __u32 consumer) {
    struct ballast_choice choice = {.index = index};
    choice.who = bpf_map_lookup_elem(&consumers, &consumer);
    if (choice.who)
        bpf_loop(BALLAST_MAX_ALTERNATIVES, ballast_try_alternative, &choice, 0);
    return choice.row;
}

/* The policy's rule for an address, or NULL: nothing there is governed. */
BALLAST_INLINE const struct ballast_prefix_rule*
ballast_find_rule(const union ballast_address* address) {
    struct ballast_prefix_key key = {.prefix_len = 128};
    void* trie = BALLAST_FIRST(policy);
    if (!trie) {
        BALLAST_COUNT_EVENT(policy_gap);
        return NULL;
    }
    __builtin_memcpy(key.address, address->bytes, sizeof(key.address));
    return bpf_map_lookup_elem(trie, &key);
}

/* Row of the service that governs a port for a consumer; 0: none does. port: host byte order. */
BALLAST_INLINE __u32 ballast_row_by(const struct ballast_prefix_rule* rule, __u16 port,
                                    struct ballast_who* who) {
    __u32 row = ballast_port_row(rule, port);
    if (row & BALLAST_ALTERNATIVE)
        row = ballast_choose_alternative(row & ~BALLAST_ALTERNATIVE, ballast_who_is_it(who));
    return row;
}

/* The same of a remote endpoint. */
BALLAST_ONCE __u32 ballast_row_for(const union ballast_address* address, __u16 port,
                                   struct ballast_who* who) {
    if (!address || !who)
        return 0;
    const struct ballast_prefix_rule* rule = ballast_find_rule(address);
    return rule ? ballast_row_by(rule, port, who) : 0;
}

/* The service of a row, if it does anything; or NULL. */
BALLAST_INLINE const struct ballast_service* ballast_service_at(__u32 row) {
    const struct ballast_service* service = row ? bpf_map_lookup_elem(&services, &row) : NULL;
    return service && (service->mode != BALLAST_MODE_OFF ||
                       service->breaker.mode != BALLAST_MODE_OFF ||
                       service->keepalive.mode != BALLAST_MODE_OFF)
               ? service
               : NULL;
}

/* The service that governs a remote endpoint for a consumer, or NULL. */
BALLAST_INLINE const struct ballast_service*
ballast_find_service(const union ballast_address* address, __u16 port, struct ballast_who* who) {
    return ballast_service_at(ballast_row_for(address, port, who));
}

#endif
