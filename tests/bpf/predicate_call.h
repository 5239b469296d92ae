/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Runs one predicate; compiled for BPF and for user space, so that both can be compared. */
#ifndef BALLAST_TESTS_BPF_PREDICATE_CALL_H
#define BALLAST_TESTS_BPF_PREDICATE_CALL_H

#include "bpf/lib/address.h"
#include "bpf/lib/limit.h"
#include "bpf/lib/policy.h"
#include "bpf/lib/reservation.h"
#include "tests/bpf/predicates.h"

BALLAST_INLINE void run_address(struct predicate_call* call) {
    union ballast_address address;
    if (call->predicate == PREDICATE_ADDRESS_V4)
        ballast_address_v4(&address, call->words[0]);
    else
        ballast_address_v6(&address, call->words);
    for (int i = 0; i < 4; i++)
        call->words[i] = address.words[i];
}

BALLAST_INLINE void run_predicate(struct predicate_call* call) {
    struct ballast_reservation* entry =
        &call->bucket.entries[call->place < BALLAST_BUCKET_WIDTH ? call->place : 0];
    switch (call->predicate) {
    case PREDICATE_TAKE:
        call->result = (__s32)ballast_take(&call->in_use, call->max);
        break;
    case PREDICATE_GIVE_BACK:
        call->result = ballast_give_back(&call->in_use);
        break;
    case PREDICATE_BUCKET_CHOICE:
        call->result = (__s32)ballast_bucket_choice(call->cookie, call->place);
        break;
    case PREDICATE_BUCKET_INSERT:
        call->result =
            ballast_bucket_insert(&call->bucket, call->cookie, call->destination, call->netns);
        break;
    case PREDICATE_BUCKET_FIND:
        call->result = ballast_bucket_find(&call->bucket, call->cookie);
        break;
    case PREDICATE_ENTRY_CONFIRM:
        ballast_entry_confirm(entry);
        break;
    case PREDICATE_ENTRY_RELEASE:
        call->result = ballast_entry_release(entry, call->cookie, &call->destination);
        break;
    case PREDICATE_PORT_ROW:
        call->result = ballast_port_row(&call->rule, call->port);
        break;
    case PREDICATE_OVER_LIMIT:
        call->result = (__s32)ballast_over_limit(&call->control, call->mode, call->now_ns);
        break;
    case PREDICATE_REFUSAL_ERRNO:
        call->result = ballast_refusal_errno(call->on_limit);
        break;
    case PREDICATE_ADDRESS_V4:
    case PREDICATE_ADDRESS_V6:
        run_address(call);
        break;
    default:
        break;
    }
}

#endif
