// SPDX-License-Identifier: Apache-2.0
// Which keepalive a flow gets: `auto` from what is known of its path, and how it combines with the
// application's own settings. Pure.
//
// `auto` never waits longer than `start`, unless the policy names a `max`: an answered probe shows
// that packets pass which this host sends first, and so does an application's own request. Whether
// one that the peer sends first would still arrive, a notification for one, no probe can show; the
// state for that may be another, and forgotten sooner.
//
// Up to `max` it waits longer only where gaps as long were acknowledged, and never probes beyond
// them to learn more: a probe that comes too late costs the application its flow, one that comes
// early costs a packet. Longer gaps are learned from traffic that Ballast did not time: flows that
// were idle when it was loaded, other services on the path, a measurement by hand. Gaps up to its
// own idle time are confirmed by its own answered probes.
//
// Invariants:
//  1. idle_ms is a whole number of seconds in 1'000..most_idle_ms, and below died where that is
//     known; with the kernel's timers as late as they may be (late_part), too.
//  2. idle_ms is at most max(start, min(survived, max)); at most start while the bound is
//  unsettled.
//  3. The time to the end, interval_ms * count, is at least `patience`, and interval_ms <= idle_ms.
//  4. What is in force is in no component looser than what the application has chosen or, where its
//     keepalive is on, what the kernel has for it: neither keepalive switched off, nor idle or
//     interval greater. Only the count may be more than the kernel's, for invariant 5. The user
//     timeout is the application's own.
//  5. A flow that Ballast put keepalive on, or sooner probes, has `patience` from the first probe
//  to
//     its end. Where an application's own settings leave less, nothing is changed, and it is said.
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
/// Percent by which idle_ms varies downwards between flows of one path. The kernel keeps timers of
/// 16 s to two minutes on a grid of 2 s at 250 Hz, of 4 s at 1000: less would leave a few points.
inline constexpr int spread_percent = 20;
/// Least time from the first probe to the end; outages shorter than this end no flow.
inline constexpr std::chrono::seconds patience{30};
/// Probes that must be lost in a row before a flow is ended; the kernel's own default. With 10% of
/// packets lost either way, 6 would end a live flow once in 21,000 times that it is probed.
inline constexpr std::uint32_t least_count = 9;
/// TCP_KEEPIDLE's own limit (include/net/tcp.h, MAX_TCP_KEEPIDLE).
inline constexpr std::int64_t most_idle_ms = 32'767'000;

/// Keepalive `auto` for one flow. `start`: keepalive_start, 1 s at least; `max`: keepalive_max,
/// less than `start` counts as that. `flow_number`: any number that differs between flows and stays
/// with one, such as the low half of the socket's cookie; it decides where in the spread the flow
/// is.
Keepalive choose_keepalive(const IdleBracket& bracket, std::chrono::milliseconds start,
                           std::chrono::milliseconds max, std::uint32_t flow_number);

/// The longest idle time that choose_keepalive() gives any flow, not rounded.
std::chrono::milliseconds longest_idle(const IdleBracket& bracket, std::chrono::milliseconds start,
                                       std::chrono::milliseconds max);

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
};

enum class Setter : std::uint8_t { kernel, application, ballast };

/// Why nothing was changed though something would have been tighter.
enum class Lack : std::uint8_t {
    nothing,
    user_timeout, ///< the application's leaves less than `patience` after the first probe
    probes,       ///< the application's interval and count do
};

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
    Setting user_timeout_ms; ///< 0: none; never Ballast's
    Lack lack = Lack::nothing;

    /// Ballast if it set anything; else the application if it switched keepalive on.
    [[nodiscard]] Setter setter() const;
    bool operator==(const KeepaliveInForce&) const = default;
};

/// An application's user timeout ends its idle flows instead of `count` (net/ipv4/tcp_timer.c,
/// tcp_keepalive_timer()). An idle time is shortened to leave `patience` below it, but not below
/// this: more frequent probes would be a nuisance.
inline constexpr std::int64_t least_fitted_ms = 10'000;

/// The effective settings once Ballast has applied `wanted` to a socket with these; without
/// `wanted`, those without Ballast.
KeepaliveInForce tightened(const SocketSettings& own, const KernelSettings& kernel,
                           const std::optional<Keepalive>& wanted);

} // namespace ballast::guards
