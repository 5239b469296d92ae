// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/flows.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <limits>

namespace ballast::kernel {

namespace {

using Word = std::chrono::duration<std::uint32_t, std::milli>;

Endpoint endpoint(const std::uint8_t (&address)[16], std::uint16_t port) {
    Endpoint result;
    std::memcpy(result.address.bytes.data(), address, sizeof(address));
    result.port = port;
    return result;
}

std::chrono::milliseconds time_of(std::uint32_t jiffies, std::uint32_t hz) {
    return std::chrono::milliseconds(std::uint64_t{jiffies} * 1000 / hz);
}

Word word_of(std::uint32_t jiffies, std::uint32_t hz) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    const auto time = static_cast<std::uint64_t>(time_of(jiffies, hz).count());
    return Word(static_cast<std::uint32_t>(std::min(time, most)));
}

} // namespace

std::uint32_t jiffies_per_second() {
    constexpr long nanoseconds = 1'000'000'000;
    timespec tick{};
    if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_nsec <= 0)
        return 250;
    return static_cast<std::uint32_t>((nanoseconds + tick.tv_nsec / 2) / tick.tv_nsec);
}

SweptFlow to_model(const ballast_flow& flow, std::uint32_t hz) {
    SweptFlow made;
    made.local = endpoint(flow.local_address, flow.local_port);
    made.remote = endpoint(flow.remote_address, flow.remote_port);
    made.cookie = flow.cookie;
    made.netns = flow.netns;
    made.interface_index = flow.interface;
    made.rtt_us = flow.rtt_us;
    made.idle = word_of(flow.idle_jiffies, hz);
    made.heard = word_of(flow.heard_jiffies, hz);
    made.quiet = word_of(flow.quiet_jiffies, hz);
    made.packets_in = flow.packets_in;
    made.packets_out = flow.packets_out;
    made.mark = flow.mark;
    made.acked = flow.acked;
    made.queued = flow.queued;
    made.keepalive = {.on = flow.keepalive.on != 0,
                      .set_by = static_cast<KeepaliveSetter>(flow.keepalive.setter),
                      .lack = static_cast<KeepaliveLack>(flow.keepalive.lack),
                      .count = flow.keepalive.count,
                      .idle_s = flow.keepalive.idle_s,
                      .interval_s = flow.keepalive.interval_s,
                      .user_timeout_ms = flow.keepalive.user_timeout_ms};
    made.trying_ms = flow.keepalive.trying_ms;
    made.service = flow.service;
    made.state = static_cast<TcpState>(flow.state);
    made.retransmits = flow.retransmits;
    made.probes = flow.probes;
    made.is_inbound = (flow.flags & BALLAST_FLOW_INBOUND) != 0;
    made.is_reserved = (flow.flags & BALLAST_FLOW_RESERVED) != 0;
    made.is_outside = (flow.flags & BALLAST_FLOW_OUTSIDE) != 0;
    made.has_window_shut = (flow.flags & BALLAST_FLOW_ZERO_WINDOW) != 0;
    made.is_unanswered = (flow.flags & BALLAST_FLOW_UNANSWERED) != 0;
    made.is_probing = (flow.flags & BALLAST_FLOW_PROBING) != 0;
    // The programs do not look at the wait of what is not governed.
    made.is_unsent = (flow.signs & BALLAST_FLOW_UNSENT) != 0 && !made.is_outside;
    made.is_deaf = (flow.signs & BALLAST_FLOW_DEAF) != 0;
    made.is_subflow = (flow.signs & BALLAST_FLOW_SUBFLOW) != 0;
    return made;
}

Suspicion to_model(const ballast_suspicion& record, std::uint32_t hz) {
    Suspicion made;
    made.key = {.local = endpoint(record.local_address, record.local_port),
                .remote = endpoint(record.remote_address, record.remote_port),
                .cookie = record.cookie,
                .interface_index = record.interface};
    made.netns = record.netns;
    made.direction =
        record.flags & BALLAST_SUSPICION_INBOUND ? Direction::inbound : Direction::outbound;
    made.what = static_cast<Suspicion::What>(record.kind);
    made.is_orphan = (record.flags & BALLAST_SUSPICION_ORPHAN) != 0;
    made.is_subflow = (record.flags & BALLAST_SUSPICION_SUBFLOW) != 0;
    made.is_tail_probe = (record.flags & BALLAST_SUSPICION_TAIL_PROBE) != 0;
    made.at = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(record.now_ns));
    made.silent = time_of(record.silent_jiffies, hz);
    made.rtt = std::chrono::milliseconds(record.srtt_us / 1000 + 1);
    made.try_gap = time_of(record.try_jiffies, hz);
    made.retransmits = record.retransmits;
    made.probes = record.probes;
    made.bytes_acked = record.bytes_acked;
    made.bytes_received = record.bytes_received;
    made.segment = record.segment;
    made.mss = record.mss;
    made.mark = record.mark;
    made.queued = record.queued;
    made.packets_out = record.packets_out;
    made.snd_wnd = record.snd_wnd;
    made.total_retrans = record.total_retrans;
    made.data_segs_out = record.data_segs_out;
    return made;
}

} // namespace ballast::kernel
