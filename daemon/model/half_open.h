// SPDX-License-Identifier: Apache-2.0
// Flows that may be half-open, as plain values.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>

#include "daemon/model/diag_socket.h"
#include "daemon/model/finding.h"
#include "daemon/model/half_open_kind.h"
#include "daemon/model/snapshot.h"

namespace ballast {

/// Where a flow's peer is looked for on other flows: outbound, the remote address and port;
/// inbound, whose peers all have ports of their own, the remote address and the local port. What
/// the route depends on is part of it, since another uplink says nothing about this one.
struct PeerKey {
    std::uint32_t netns = 0; ///< inode number
    Direction direction = Direction::outbound;
    Address address;                   ///< remote
    std::uint16_t port = 0;            ///< remote, or local where inbound
    Address source;                    ///< local
    std::uint32_t interface_index = 0; ///< that the flow is bound to; 0: none
    std::uint32_t mark = 0;            ///< SO_MARK

    auto operator<=>(const PeerKey&) const = default; // NOLINT(modernize-use-nullptr)
};

inline PeerKey peer_of(const FlowKey& key, std::uint32_t netns, Direction direction,
                       std::uint32_t mark) {
    const bool is_inbound = direction == Direction::inbound;
    return {.netns = netns,
            .direction = direction,
            .address = key.remote.address,
            .port = is_inbound ? key.local.port : key.remote.port,
            .source = key.local.address,
            .interface_index = key.interface_index,
            .mark = mark};
}

/// An observation of one flow, by a program (bpf/abi_suspicion.h) or by a check of its keepalive.
struct Suspicion {
    enum class What : std::uint8_t { retransmission, reset, timed_out, probe };

    FlowKey key;
    std::uint32_t netns = 0;
    Direction direction = Direction::outbound;
    std::string service; ///< empty: none governs it
    What what = What::retransmission;
    bool is_tail_probe = false;
    bool is_orphan = false;                   ///< no process has it open
    bool is_subflow = false;                  ///< of an MPTCP connection
    std::chrono::steady_clock::time_point at; ///< of the try, at the latest
    std::chrono::milliseconds earlier{0};     ///< the try was at most this long before `at`
    std::chrono::milliseconds silent{0};      ///< since anything was received
    std::chrono::milliseconds rtt{0};         ///< smoothed
    std::chrono::milliseconds try_gap{0};     ///< between the last two tries; 0: not known
    std::uint32_t retransmits = 0;            ///< by the retransmission timer, with this one
    std::uint32_t probes = 0;                 ///< unanswered
    std::uint64_t bytes_acked = 0;            ///< by the peer, in its whole life
    std::uint32_t packets_out = 0;
    std::uint32_t snd_wnd = 0;
    std::uint32_t total_retrans = 0; ///< segments, in its whole life
    std::uint32_t data_segs_out = 0;
    std::uint64_t bytes_received = 0; ///< data, in its whole life
    std::uint32_t segment = 0;        ///< bytes of data in what was sent again; 0: not known
    std::uint32_t mss = 0;            ///< bytes of data in a full segment
    std::uint32_t mark = 0;           ///< SO_MARK
    std::uint32_t queued = 0;         ///< bytes written and not acknowledged
};

/// When anything came in last, as of `now`.
inline std::chrono::steady_clock::time_point heard_at(const DiagSocket& socket,
                                                      std::chrono::steady_clock::time_point now) {
    return now - std::chrono::milliseconds(
                     std::min(socket.tcp.last_ack_recv_ms, socket.tcp.last_data_recv_ms));
}

/// A silence of a peer towards one flow. A flow that waits for an acknowledgement has to get that:
/// what else its peer sends, its own retransmissions most often, shows that the way back works. A
/// peer that shuts its window answers too.
struct Silence {
    std::chrono::steady_clock::time_point over_after; ///< by what is received later than that
    std::optional<std::uint64_t> bytes_acked;         ///< while something waits to be acknowledged

    [[nodiscard]] bool is_over(const DiagSocket& socket,
                               std::chrono::steady_clock::time_point now) const {
        if (bytes_acked && socket.tcp.bytes_acked != *bytes_acked)
            return true;
        return heard_at(socket, now) > over_after && (!bytes_acked || socket.tcp.snd_wnd == 0);
    }
};

/// A guard's conclusion about one flow, with its evidence.
struct HalfOpenVerdict {
    /// Its peer, as the flow reaches it.
    [[nodiscard]] PeerKey peer() const { return peer_of(key, netns, direction, mark); }

    HalfOpenKind kind = HalfOpenKind::path_down;
    FlowKey key;
    std::uint32_t netns = 0;
    Direction direction = Direction::outbound;
    std::uint32_t mark = 0; ///< SO_MARK
    std::string service;
    std::chrono::milliseconds silent{0}; ///< since anything was received
    std::chrono::milliseconds rtt{0};    ///< smoothed; 0: not known
    std::uint32_t tries = 0;             ///< retransmissions and probes in a row, unanswered
    std::uint32_t packets_out = 0;
    std::uint32_t queued = 0;  ///< bytes written and not acknowledged
    std::uint32_t segment = 0; ///< bytes of data in what was last sent again; 0: not known
    bool is_window_shut = false;
    std::chrono::milliseconds lasting{0};    ///< nothing was sent or taken for so long; 0: not told
    std::chrono::milliseconds unanswered{0}; ///< time without an answer to acknowledged data
    bool is_subflow = false;                 ///< of an MPTCP connection
    std::uint32_t others = 0;                ///< other flows of the same peer
    std::uint32_t others_alive = 0;          ///< those with something received since the last try
    bool is_lossy = false;                   ///< the path loses packets of other flows too
    bool has_ended = false;                  ///< the kernel gave it up
    bool is_reset = false;                   ///< Ballast ended it
    bool is_orphan = false;                  ///< no process has it open
    bool is_revised = false;                 ///< another was reported for the same silence
    bool is_one_way = false;                 ///< its peer was heard of, and acknowledged nothing
    Silence silence;
    std::uint32_t inode = 0;            ///< of the socket, when it was last read; 0: never
    TcpState state = TcpState::unknown; ///< likewise
    SocketOwner owner;                  ///< empty where it was not looked up
    const char* witness = ""; ///< of a fresh connect: "answered", "silent"; empty: none made
};

/// The action on a flow that was found half-open, or why there was none.
enum class FlowAct : std::uint8_t {
    none,       ///< it has ended, or no process waits on it
    report,     ///< the service wants no more
    kind,       ///< the service resets flows, but not of this kind
    ungoverned, ///< no service governs it
    subflow,    ///< MPTCP has other paths, and repairs itself
    observe,    ///< the guard may do no more
    dry_run,    ///< the governor decides only
    settling,   ///< a dead path is given time to come back
    waiting,    ///< for the caps of the governor
    paced,      ///< so many are reset in a turn, and no more
    held,       ///< most destinations fail at once: this host itself is suspect
    reset,      ///< destroyed
    recovered,  ///< no longer half-open when it was to be reset
    answers,    ///< its destination was heard of again
    gone,       ///< the socket was gone
    too_old,    ///< it waited for too long
    full,       ///< too many were waiting
    failed,     ///< the kernel would not
};
inline constexpr std::size_t kFlowActs = 18;

} // namespace ballast
