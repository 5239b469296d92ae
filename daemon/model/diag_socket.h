// SPDX-License-Identifier: Apache-2.0
// One TCP socket as the kernel's socket diagnosis (inet_diag) describes it, as plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/model/tcp_state.h"
#include "daemon/util/address.h"

namespace ballast {

/// One socket, named so that no other can be meant: its addresses and its cookie.
struct FlowKey {
    Endpoint local;
    Endpoint remote;
    std::uint64_t cookie = 0; ///< SO_COOKIE, bpf_get_socket_cookie(); never 0, never 2^64-1
    /// Index of the interface that the socket is bound to (SO_BINDTODEVICE, a VRF, an IPv6
    /// link-local peer), 0: none. The kernel does not find a bound socket without it; an unbound
    /// one it finds with any (net/inet_hashtables.h, inet_match()).
    std::uint32_t interface_index = 0;

    bool operator==(const FlowKey&) const = default;
};

/// The timer that the socket waits for (idiag_timer); it has one at a time.
enum class TcpTimer : std::uint8_t {
    off = 0,
    retransmit = 1,
    keepalive = 2, ///< also the timer of FIN_WAIT2
    time_wait = 3,
    probe0 = 4,      ///< of a zero window
    delayed_ack = 5, ///< newer kernels only; older ones say `off`
    unknown = 255,
};

/// Of struct tcp_info. A value that the kernel did not give is 0; `given` is how much it gave.
struct TcpFacts {
    std::uint32_t given = 0;      ///< bytes of tcp_info, 0: none (TIME_WAIT, SYN_RECV minisockets)
    std::uint8_t retransmits = 0; ///< of the oldest segment, in a row, unacknowledged
    std::uint8_t probes = 0;      ///< of keepalive or of a zero window, unanswered
    std::uint8_t backoff = 0;     ///< doublings of the RTO
    std::uint32_t rto_us = 0;
    std::uint32_t unacked = 0;           ///< segments in flight
    std::uint32_t retrans = 0;           ///< of these, sent again
    std::uint32_t last_data_sent_ms = 0; ///< ago; retransmissions count
    std::uint32_t last_data_recv_ms = 0; ///< ago
    std::uint32_t last_ack_recv_ms = 0;  ///< ago; any acknowledgement, of keepalive too
    std::uint32_t rtt_us = 0;            ///< smoothed
    std::uint32_t snd_cwnd = 0;          ///< segments
    std::uint32_t total_retrans = 0;     ///< segments, in its whole life
    std::uint64_t bytes_acked = 0;       ///< by the peer, in its whole life
    std::uint64_t bytes_received = 0;    ///< in its whole life
    std::uint32_t notsent_bytes = 0;     ///< written, but not sent for the first time
    std::uint32_t snd_wnd = 0;           ///< window that the peer gave, bytes
    std::uint32_t data_segs_out = 0;     ///< segments with data, in its whole life

    bool operator==(const TcpFacts&) const = default;
};

struct DiagSocket {
    FlowKey key;
    bool v6_socket = false; ///< an AF_INET6 socket, also where its addresses are IPv4
    TcpState state = TcpState::unknown;
    std::uint32_t uid = 0;
    std::uint32_t inode = 0; ///< 0: no process has it open
    TcpTimer timer = TcpTimer::off;
    std::uint32_t mark = 0;             ///< SO_MARK; the kernel tells it to CAP_NET_ADMIN only
    std::uint32_t timer_expires_ms = 0; ///< from now; 0: off, or due
    std::uint8_t timer_retransmits = 0; ///< of what the timer is for
    TcpFacts tcp;

    bool operator==(const DiagSocket&) const = default;
};

/// The flows to one destination.
struct FlowList {
    std::vector<DiagSocket> flows; ///< each once, in the order of the kernel's tables
    bool cut_off = false;          ///< there were more than asked for
    bool interrupted = false; ///< the tables changed while being read, each time: may lack some

    bool operator==(const FlowList&) const = default;
};

/// The outcome of destroying a socket.
enum class Destroyed : std::uint8_t {
    destroyed,
    already_gone, ///< there is none with that cookie
};

} // namespace ballast
