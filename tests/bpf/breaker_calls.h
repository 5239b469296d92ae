/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What goes into and comes out of the breaker's test program: one call, and all that it works on.
 */
#ifndef BALLAST_TESTS_BPF_BREAKER_CALLS_H
#define BALLAST_TESTS_BPF_BREAKER_CALLS_H

#include <stddef.h>

#include "bpf/lib/breaker.h"
#include "bpf/lib/rate.h"

enum breaker_operation {
    BREAKER_ADMIT,
    BREAKER_FAILURE,
    BREAKER_SUCCESS,
    BREAKER_PROBE_LOST,
    BREAKER_RAMPED_LIMIT,
    BREAKER_WINDOW_COUNT,
    BREAKER_CLOSED_FOR_GOOD,
    BREAKER_RATE_TAKE,
    BREAKER_OPERATIONS,
};

struct breaker_call {
    __u32 operation;
    __u32 result;
    struct ballast_breaker_event event; /* its time is that of all calls */
    struct ballast_breaker_limits limits;
    struct ballast_breaker_change change;
    struct ballast_breaker breaker;
    __u32 budget;
    __u32 budget_without_end;
    __u32 max_connections;
    __u32 ramp_base;
    __u64 now_ns;
    __u64 tat_ns;
    __u64 interval_ns;
    __u64 burst_ns;
};

/* Runs one call; compiled for BPF and for user space, so that both can be compared. */
BALLAST_INLINE void run_breaker_call(struct breaker_call* call) {
    struct ballast_breaker* breaker = &call->breaker;
    struct ballast_breaker_event event = call->event;
    struct ballast_breaker_change change;
    __builtin_memset(&change, 0, sizeof(change));
    switch (call->operation) {
    case BREAKER_ADMIT:
        call->result = (__u32)ballast_breaker_admit(breaker, &call->limits, event.now_ms, &change);
        break;
    case BREAKER_FAILURE: /* apart, as the verifier wants to know which of them it is */
        if (call->budget_without_end)
            /* C too: NOLINTBEGIN(modernize-use-nullptr) */
            call->result =
                (__u32)ballast_breaker_failure(breaker, &call->limits, &event, NULL, &change);
        /* NOLINTEND(modernize-use-nullptr) */
        else
            call->result = (__u32)ballast_breaker_failure(breaker, &call->limits, &event,
                                                          &call->budget, &change);
        break;
    case BREAKER_SUCCESS:
        ballast_breaker_success(breaker, &call->limits, event.is_probe != 0, event.who,
                                event.now_ms, &change);
        break;
    case BREAKER_PROBE_LOST:
        ballast_breaker_probe_lost(breaker);
        break;
    case BREAKER_RAMPED_LIMIT:
        call->result = ballast_breaker_ramp(BALLAST_LOAD(breaker->word), &call->limits,
                                            call->max_connections, call->ramp_base, event.now_ms);
        break;
    case BREAKER_WINDOW_COUNT:
        call->result =
            ballast_breaker_window_count(breaker, &call->limits, event.kind, event.now_ms);
        break;
    case BREAKER_CLOSED_FOR_GOOD:
        call->result = ballast_breaker_is_closed_for_good(breaker);
        break;
    case BREAKER_RATE_TAKE:
        call->result = (__u32)ballast_rate_take(&call->tat_ns, call->interval_ns, call->burst_ns,
                                                call->now_ns);
        break;
    default:
        break;
    }
    call->change = change;
}

#endif
