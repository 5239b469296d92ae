// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/swept_flow.h"

namespace ballast {

FlowKey key_of(const SweptFlow& flow) {
    return {.local = flow.local,
            .remote = flow.remote,
            .cookie = flow.cookie,
            .interface_index = flow.interface_index};
}

Suspicion suspicion_of(const SweptFlow& flow, std::chrono::steady_clock::time_point now) {
    Suspicion made;
    made.key = key_of(flow);
    made.netns = flow.netns;
    made.direction = flow.is_inbound ? Direction::inbound : Direction::outbound;
    made.what = Suspicion::What::probe;
    made.at = now;
    made.silent = made.earlier = flow.idle;
    made.rtt = std::chrono::milliseconds(flow.rtt_us / 1000 + 1);
    made.probes = flow.probes;
    made.mark = flow.mark;
    made.queued = flow.queued;
    made.is_subflow = flow.is_subflow;
    return made;
}

FlowRow row_of(const SweptFlow& flow, const std::string& service) {
    FlowRow row;
    row.local = flow.local;
    row.remote = flow.remote;
    row.direction = flow.is_inbound ? Direction::inbound : Direction::outbound;
    row.state = name_of(flow.state);
    row.service = service;
    row.cookie = flow.cookie;
    row.netns = flow.netns;
    row.rtt_us = flow.rtt_us;
    row.idle_ms = flow.idle.count();
    row.retransmits = flow.retransmits;
    row.reserved = flow.is_reserved;
    row.keepalive = flow.keepalive;
    return row;
}

} // namespace ballast
