// SPDX-License-Identifier: Apache-2.0
// Ballast's state at one moment, as plain values: filled by daemon/kernel, read by guards, the
// API and metrics. Every list is bounded by the map it was read from.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/findings/reasons.h"
#include "daemon/model/counters.h"
#include "daemon/model/half_open_kind.h"
#include "daemon/model/listener_row.h"
#include "daemon/model/policy.h"
#include "daemon/model/port_row.h"
#include "daemon/model/shed_row.h"
#include "daemon/util/address.h"

namespace ballast {

/// Seconds since the epoch with fraction; only for what people read, durations are monotonic.
using WallTime = std::chrono::system_clock::time_point;

/// One governed destination: its reservations and decisions since it was first seen.
struct DestinationRow {
    Endpoint endpoint;
    std::string service;
    Mode mode = Mode::observe; ///< in force now, kill switch and heartbeat applied
    std::optional<std::uint32_t> max_connections; ///< none: counted only
    std::uint32_t in_use = 0;                     ///< reservations held
    std::uint64_t admitted = 0;                   ///< connect() calls that got a reservation
    std::uint64_t adopted = 0;                    ///< older sockets counted by a sweep
    std::uint64_t refused = 0;                    ///< connect() calls refused at the limit
    std::uint64_t over_limit = 0;                 ///< admitted over the limit, as observe mode does
    std::int64_t drift = 0; ///< in_use less what the last sweep could account for
    /// The path's idle timeout: silences up to the first were lived through, flows were dropped
    /// after the second; none: not known.
    std::optional<std::chrono::milliseconds> survived = {};
    std::optional<std::chrono::milliseconds> died = {};
    std::optional<Prefix> learned_in = {}; ///< whose flows showed either; none: its own

    bool operator==(const DestinationRow&) const = default;
};

/// State of a breaker (bpf/abi.h, enum ballast_breaker_state).
enum class BreakerState : std::uint8_t { closed = 0, open = 1, half_open = 2, ramp = 3 };

/// A state that a person or the governor forces on a breaker (enum ballast_breaker_force).
enum class BreakerForce : std::uint8_t { none = 0, open = 1, closed = 2 };

/// The breaker of one destination that has failed at least once, or is forced.
struct BreakerRow {
    Endpoint endpoint;
    std::string service;
    Mode mode = Mode::observe; ///< in force now, kill switch and heartbeat applied
    BreakerState state = BreakerState::closed;
    std::optional<std::chrono::milliseconds> since;  ///< how long it has been in that state
    std::optional<std::chrono::milliseconds> until;  ///< until its deadline; 0: due
    std::uint32_t level = 0;                         ///< of the back-off
    std::array<std::uint32_t, kFailures> failures{}; ///< in the window, by Failure
    std::string last_error;                          ///< "ETIMEDOUT"; empty: none
    std::uint64_t opened = 0;                        ///< times
    std::uint64_t withheld = 0;                      ///< times it would have, but was held closed
    std::uint64_t refused = 0;                       ///< connect() calls it turned away
    std::uint64_t would_refuse = 0;                  ///< those that observe mode let pass
    BreakerForce forced = BreakerForce::none;
    std::string forced_by; ///< "root (uid 0)", "governor"; empty: nobody
    std::string forced_reason;
    std::optional<std::chrono::milliseconds> forced_for; ///< until it ends by itself

    /// New connections are turned away now, but for probes of a half-open one.
    [[nodiscard]] bool is_refusing() const {
        if (forced != BreakerForce::none)
            return forced == BreakerForce::open;
        return mode == Mode::enforce &&
               (state == BreakerState::open || state == BreakerState::half_open);
    }
    bool operator==(const BreakerRow&) const = default;
};

/// One remote endpoint as sweeps see it, governed or not; outbound connections only.
struct PeerRow {
    Endpoint endpoint;
    std::string service;           ///< empty: no policy governs it
    std::uint32_t connections = 0; ///< sockets in any state but TIME_WAIT
    std::uint32_t established = 0;
    std::uint32_t connecting = 0;     ///< SYN_SENT
    std::uint32_t closing = 0;        ///< FIN_WAIT1 .. LAST_ACK, CLOSE_WAIT
    std::uint32_t retransmitting = 0; ///< sockets with unacknowledged retransmissions
    std::uint32_t rtt_median_us = 0;  ///< of the smoothed RTTs of its sockets; 0: none measured
    std::uint32_t idle_max_ms = 0;    ///< longest time since anything was received
    std::uint32_t idle_min_ms = 0;    ///< shortest of these, of its established sockets
    std::uint32_t governed = 0;       ///< established, and in the governed cgroup

    bool operator==(const PeerRow&) const = default;
};

enum class Direction : std::uint8_t { outbound = 0, inbound = 1 };

/// The source of a connection's keepalive settings (bpf/abi_keepalive.h, enum
/// ballast_keepalive_setter).
enum class KeepaliveSetter : std::uint8_t { kernel = 0, application = 1, ballast = 2 };

/// Why a connection does not have the keepalive that its service wishes (bpf/abi_keepalive.h, enum
/// ballast_keepalive_lack).
enum class KeepaliveLack : std::uint8_t { nothing = 0, leave = 1, user_timeout = 2, patience = 3 };

/// A connection's settings. Numbers are filled in even while it is off.
struct FlowKeepalive {
    bool on = false;
    KeepaliveSetter set_by = KeepaliveSetter::kernel;
    KeepaliveLack lack = KeepaliveLack::nothing;
    std::uint8_t count = 0;
    std::uint32_t idle_s = 0;
    std::uint32_t interval_s = 0;
    std::uint32_t user_timeout_ms = 0; ///< 0: none

    /// It would be tighter if the guard enforced.
    [[nodiscard]] bool is_wanted() const { return lack == KeepaliveLack::leave; }
    bool operator==(const FlowKeepalive&) const = default;
};

/// One TCP socket as the sweep saw it.
struct FlowRow {
    Endpoint local;
    Endpoint remote;
    Direction direction = Direction::outbound;
    std::string state;        ///< as `ss` prints it: "ESTAB", "SYN-SENT", ...
    std::string service;      ///< empty: no policy governs it
    std::uint64_t cookie = 0; ///< socket cookie, 0 where the kernel has not made one
    std::uint32_t netns = 0;  ///< inode number of its network namespace
    std::uint32_t rtt_us = 0;
    std::uint32_t idle_ms = 0;    ///< since anything was received
    std::uint8_t retransmits = 0; ///< unacknowledged, now
    bool reserved = false;        ///< holds a reservation
    FlowKeepalive keepalive;

    bool operator==(const FlowRow&) const = default;
};

/// The sockets that the last sweep met.
struct FlowTable {
    std::vector<FlowRow> rows;
    std::optional<std::chrono::milliseconds> age; ///< since that sweep; none: there was none yet
    std::uint64_t left_out = 0;                   ///< sockets that it met and that are not kept
};

/// How much of the host a sweep covers.
enum class SweepExtent {
    paced, ///< every socket that a process has open, and of the rest what its pace allows
    full,  ///< every socket
};

/// The cost and the outcome of the sweeps.
struct SweepStatus {
    std::uint64_t sweeps = 0;
    std::chrono::nanoseconds last_cpu{0};
    std::chrono::milliseconds interval{0}; ///< in force now, stretched by the cost
    std::uint64_t sockets = 0;             ///< seen by the last sweep, TIME_WAIT apart
    std::uint64_t time_wait = 0;
    std::uint64_t namespaces = 0;         ///< network namespaces that the last sweep covered
    std::uint64_t namespaces_visited = 0; ///< of these, those where it visited every socket
    std::uint64_t namespaces_missed = 0;  ///< that are there and could not be visited
    std::uint64_t drift = 0;              ///< sum of absolute drifts found by the last sweep
    std::uint64_t repairs = 0;            ///< reservations corrected since start
    std::uint64_t failures = 0;           ///< sweeps that could not be done or finished
    std::chrono::milliseconds held{0};    ///< how long one has waited for a socket's lock; 0: none
    std::uint32_t held_in = 0;            ///< in which network namespace, by inode number

    bool operator==(const SweepStatus&) const = default;
};

/// Flows that were suspected of being half-open since the daemon's start, and the outcomes.
struct HalfOpenStatus {
    std::uint64_t suspects = 0; ///< under suspicion now
    std::uint64_t suspected = 0;
    std::array<std::uint64_t, kHalfOpenKinds> verdicts{}; ///< flows by HalfOpenKind
    std::uint64_t recovered = 0;                          ///< heard from again before any verdict
    std::uint64_t ended = 0;                              ///< closed before any verdict
    std::uint64_t coalesced = 0;      ///< flows that findings count and do not name
    std::uint64_t table_full = 0;     ///< flows not followed: too many at a time
    std::uint64_t not_looked_at = 0;  ///< times that facts about flows were not available
    std::uint64_t reset = 0;          ///< flows destroyed
    std::uint64_t reset_withheld = 0; ///< that would have been: observe, dry run
    std::uint64_t reset_waiting = 0;  ///< that wait to be, now
    std::uint64_t reset_failed = 0;   ///< that were to be: failed, too old, too many waiting
    bool is_holding = false;      ///< most destinations send nothing: no reset that is not proven
    std::uint64_t dead_paths = 0; ///< destinations that send nothing, now
    std::uint64_t paths = 0;      ///< destinations with connections in use, by the last sweep

    bool operator==(const HalfOpenStatus&) const = default;
};

/// Findings since the daemon's start, and what of them is kept.
struct FindingsStatus {
    std::array<std::uint64_t, findings::kReasons.size()> made{}; ///< by findings::Reason
    std::uint64_t coalesced = 0;      ///< of these, counted by one that is alike and just before
    std::uint64_t kept = 0;           ///< in the history, those of earlier daemons included
    std::uint64_t unsaved = 0;        ///< that wait to be saved, now
    std::uint64_t left_out = 0;       ///< never made: a guard had too many to say at a time
    std::uint64_t owners_skipped = 0; ///< sockets whose owner was not looked for to the end
    std::uint64_t lost = 0;           ///< never saved: others took their place in memory
    std::uint64_t saves_failed = 0;   ///< attempts
    std::uint64_t unreadable = 0;     ///< rows of the history that could not be understood

    bool operator==(const FindingsStatus&) const = default;
};

/// Effects of keepalive on connections.
struct KeepaliveStatus {
    std::uint64_t kept_alive = 0; ///< with keepalive of Ballast's, by the last sweep
    std::uint64_t wanted = 0;     ///< that would have it if the guard enforced

    bool operator==(const KeepaliveStatus&) const = default;
};

struct DaemonStatus {
    std::string version;
    std::uint32_t abi_version = 0;
    std::string kernel; ///< uname -r
    std::string cgroup; ///< absolute path of the subtree that is governed
    std::string bpffs;  ///< directory of the pins
    WallTime started;
    std::uint32_t pid = 0;
    bool armed = true;         ///< false: kill switch is on, everything observes
    bool adopted_pins = false; ///< this start took over what an earlier daemon had pinned
    Mode limit_mode = Mode::observe;
    bool governor_dry_run = false; ///< the governor only decides and reports
    std::string policy_file;
    WallTime policy_loaded;
    std::uint64_t policy_generation = 0; ///< grows by one with each policy put in force
    std::string policy_error; ///< why the newest file was refused; empty when it is in force
    std::uint32_t services = 0;
    std::uint32_t destinations = 0;
    std::uint32_t destinations_max = 0;
    std::uint64_t reservations = 0;
    std::uint64_t reservations_max = 0;
    std::vector<std::string> hooks_lost; ///< programs that are not attached, and cannot be now
    std::uint64_t hooks_reattached = 0;  ///< times that one was, after it had been detached
    /// Runs of programs that the kernel left out, since they were loaded.
    std::uint64_t recursion_misses = 0;
    Counters counters; ///< of the programs, since they were loaded
    HalfOpenStatus half_open;
    KeepaliveStatus keepalive;
    PortsStatus ports;
    ListenersStatus listeners;
    ShedTable shed;
    FindingsStatus findings;
    SweepStatus sweep;
};

} // namespace ballast
