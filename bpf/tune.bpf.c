// SPDX-License-Identifier: GPL-2.0
/*
 * A connection is established: its socket gets back what connect_timeout had changed. Attached only
 * while some service has one, since the kernel runs it several times for each connection.
 */
#include "bpf/timeout.h"

#define PASS 1

SEC("sockops")
int ballast_tune(struct bpf_sock_ops* ctx) {
    struct bpf_sock* sk = ctx->sk;
    if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && sk)
        ballast_restore_timeout(ctx, sk);
    return PASS;
}
