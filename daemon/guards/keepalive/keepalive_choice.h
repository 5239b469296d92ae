// SPDX-License-Identifier: Apache-2.0
// Which keepalive a flow gets: `auto` from what is known of its path, and how it combines with the
// application's own settings. Pure.
//
// `auto` never waits longer than `start` on hope. It waits longer only where gaps as long were
// acknowledged, and never probes beyond them to learn more: a probe that comes too late costs the
// application its flow, one that comes early costs a packet. Longer gaps are learned from traffic
// that Ballast did not time: flows that were idle when it was loaded, other services on the path, a
// measurement by hand. Gaps up to its own idle time are confirmed by its own answered probes.
//
// Invariants:
//  1. idle_ms is a whole number of seconds in 1'000..most_idle_ms, and below died where that is
//     known; with the kernel's timers as late as they may be (late_part), too.
//  2. idle_ms is at most max(start, survived); at most start while the bound is unsettled.
//  3. The time to the end, interval_ms * count, is at least `patience`.
//  4. What is in force is in no component looser than what was: neither keepalive switched off, nor
//     idle, interval, count or the user timeout greater, nor the end of a dead flow later.
//  5. A flow that Ballast put keepalive on is ended after no fewer than five probes, or as many as
//     the application or the kernel's settings have as count, if that is less.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "daemon/guards/keepalive/idle_bound.h"

namespace ballast::guards {

/// SO_KEEPALIVE's parameters: the first probe after idle_ms of silence, the next ones interval_ms
/// apart, and the end when `count` of them had no answer. Both times are whole seconds.
struct Keepalive {
    std::int64_t idle_ms = 0;
    std::int64_t interval_ms = 0;
    std::uint32_t count = 0;
    bool operator==(const Keepalive&) const = default;
};

/// Keepalive waits at most idle_ms * (1 + 1/late_part) for a timer of idle_ms: the kernel's wheel
/// rounds timers up by as much as an eighth (kernel/time/timer.c, calc_index()).
inline constexpr int late_part = 8;
/// Part of died that idle_ms may be: an eighth below for the timer, the rest so that a probe that
/// is lost can be repeated in time.
inline constexpr int died_percent = 85;
/// Percent by which idle_ms varies downwards between flows of one path.
inline constexpr int spread_percent = 10;
/// Least time from the first probe to the end; outages shorter than this end no flow.
inline constexpr std::chrono::seconds patience{30};
/// Probes that must be lost in a row before a flow is ended; the kernel's own default. With 10% of
/// packets lost either way, 6 would end a live flow once in 21,000 times that it is probed.
inline constexpr std::uint32_t least_count = 9;
/// TCP_KEEPIDLE's own limit (include/net/tcp.h, MAX_TCP_KEEPIDLE).
inline constexpr std::int64_t most_idle_ms = 32'767'000;

/// Keepalive `auto` for one flow. `start`: keepalive_start, 1 s at least. `flow_number`: any number
/// that differs between flows and stays with one, such as the low half of the socket's cookie; it
/// decides where in the spread the flow is.
Keepalive choose_keepalive(const IdleBracket& bracket, std::chrono::milliseconds start,
                           std::uint32_t flow_number);

/// The longest idle time that choose_keepalive() gives any flow, not rounded.
std::chrono::milliseconds longest_idle(const IdleBracket& bracket, std::chrono::milliseconds start);

/// An application's settings on a socket. 0: not set.
struct SocketSettings {
    bool keepalive = false;
    std::int64_t idle_ms = 0;
    std::int64_t interval_ms = 0;
    std::uint32_t count = 0;
    std::int64_t user_timeout_ms = 0;
};

/// The network namespace's defaults, for what an application has not set.
struct KernelSettings {
    std::int64_t idle_ms = 7'200'000;  ///< net.ipv4.tcp_keepalive_time
    std::int64_t interval_ms = 75'000; ///< net.ipv4.tcp_keepalive_intvl
    std::uint32_t count = 9;           ///< net.ipv4.tcp_keepalive_probes
    std::int64_t give_up_ms = 924'600; ///< data unacknowledged, by net.ipv4.tcp_retries2
};

enum class Setter : std::uint8_t { kernel, application, ballast };

/// A number and who set it.
struct Setting {
    std::int64_t value = 0;
    Setter setter = Setter::kernel;
    bool operator==(const Setting&) const = default;
};

/// The effective settings of a socket. Numbers without effect while keepalive is off are still
/// shown.
struct KeepaliveInForce {
    Setting on; ///< 0 or 1
    Setting idle_ms;
    Setting interval_ms;
    Setting count;
    Setting user_timeout_ms; ///< 0: none

    /// Ballast if it set anything; else the application if it switched keepalive on.
    [[nodiscard]] Setter setter() const;
    bool operator==(const KeepaliveInForce&) const = default;
};

/// A user timeout is set by Ballast only if it is at least this, for it also ends flows with data
/// in flight, and only if it is sooner than the kernel's own end.
inline constexpr std::int64_t least_user_timeout_ms = 30'000;
/// An application with a shorter user timeout of its own is left alone: the kernel would end its
/// idle flows at that age with one probe unanswered (net/ipv4/tcp_timer.c, tcp_keepalive_timer()).
inline constexpr std::int64_t least_room_ms = 10'000;

/// The effective settings once Ballast has applied `wanted` to a socket with these; without
/// `wanted`, those without Ballast.
KeepaliveInForce tightened(const SocketSettings& own, const KernelSettings& kernel,
                           const std::optional<Keepalive>& wanted);

} // namespace ballast::guards
