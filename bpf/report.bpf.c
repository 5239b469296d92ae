// SPDX-License-Identifier: GPL-2.0
/*
 * Reports the daemon's findings about a destination to its breaker. Attached nowhere: the daemon
 * runs it (BPF_PROG_TEST_RUN), so that breakers have one path for reports from all sources.
 */
#include "bpf/breaker.h"

#include <linux/errno.h>

/* args[0]: index of the destination, a flow to which is half-open. */
SEC("raw_tp")
int ballast_report(struct bpf_raw_tracepoint_args* context) {
    struct ballast_outcome end = {.destination = (__u32)context->args[0],
                                  .kind = BALLAST_FAILURE_HALF_OPEN_FLOW,
                                  .error = ETIMEDOUT};
    return ballast_report_failure(&end);
}
