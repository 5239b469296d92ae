// SPDX-License-Identifier: Apache-2.0
// One TCP socket as a sweep met it. There may be a hundred thousand of them, so it holds no text.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "daemon/model/half_open.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/tcp_state.h"

namespace ballast {

struct SweptFlow {
    Endpoint local;
    Endpoint remote;
    std::uint64_t cookie = 0; ///< 0: the kernel has not made one
    std::uint32_t netns = 0;  ///< inode number
    std::uint32_t interface_index = 0;
    std::uint32_t mark = 0; ///< SO_MARK
    std::uint32_t rtt_us = 0;
    std::chrono::duration<std::uint32_t, std::milli> idle{0};  ///< since anything was received
    std::chrono::duration<std::uint32_t, std::milli> heard{0}; ///< that, keepalive probes included
    std::chrono::duration<std::uint32_t, std::milli> quiet{0}; ///< that, or since data was sent
    std::uint32_t packets_in = 0;                              ///< in its whole life; wraps
    std::uint32_t packets_out = 0;
    std::uint32_t acked = 0;  ///< bytes acknowledged in its whole life, the low 32 bits
    std::uint32_t queued = 0; ///< bytes written and not acknowledged
    FlowKeepalive keepalive;
    std::uint32_t trying_ms = 0; ///< since what is unanswered was first sent again; 0: it was not
    std::uint16_t service = 0;   ///< as the maps call it; 0: not governed
    TcpState state = TcpState::unknown;
    std::uint8_t retransmits = 0;     ///< unacknowledged, now
    std::uint8_t probes = 0;          ///< of keepalive or of a zero window, unanswered
    bool is_inbound : 1 = false;      ///< made by accept()
    bool is_reserved : 1 = false;     ///< holds a reservation
    bool is_outside : 1 = false;      ///< its cgroup is not in the governed subtree
    bool has_window_shut : 1 = false; ///< the peer's, with something to send
    bool is_unanswered : 1 = false;   ///< all that was sent is acknowledged, no data came since
    bool is_probing : 1 = false;      ///< keepalive probes have had no answer
    bool is_unsent : 1 = false;       ///< this host does not send what it has to send
    bool is_deaf : 1 = false;         ///< no data was ever received
    bool is_subflow : 1 = false;      ///< of an MPTCP connection
};

FlowKey key_of(const SweptFlow& flow);

/// Of a flow that a sweep met at `now` with is_probing: it sent the last of its probes some time
/// since it was last heard of. The service is left empty.
Suspicion suspicion_of(const SweptFlow& flow, std::chrono::steady_clock::time_point now);

/// `service`: the name.
FlowRow row_of(const SweptFlow& flow, const std::string& service);

} // namespace ballast
