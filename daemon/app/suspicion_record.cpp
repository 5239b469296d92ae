// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/suspicion_record.h"

#include <cstring>

namespace ballast::app {

namespace {

std::chrono::milliseconds ms_of_jiffies(std::uint32_t jiffies, std::uint32_t hz) {
    return std::chrono::milliseconds(std::uint64_t{jiffies} * 1000 / hz);
}

Endpoint endpoint(const std::uint8_t (&address)[16], std::uint16_t port) {
    Endpoint made;
    std::memcpy(made.address.bytes.data(), address, sizeof address);
    made.port = port;
    return made;
}

} // namespace

Suspicion suspicion_of(const ballast_suspicion& record, std::uint32_t hz) {
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
    made.is_tail_probe = (record.flags & BALLAST_SUSPICION_TAIL_PROBE) != 0;
    made.at = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(record.now_ns));
    made.silent = ms_of_jiffies(record.silent_jiffies, hz);
    made.rtt = std::chrono::milliseconds(record.srtt_us / 1000 + 1);
    made.try_gap = ms_of_jiffies(record.try_jiffies, hz);
    made.retransmits = record.retransmits;
    made.probes = record.probes;
    made.bytes_acked = record.bytes_acked;
    made.packets_out = record.packets_out;
    made.snd_wnd = record.snd_wnd;
    made.total_retrans = record.total_retrans;
    made.data_segs_out = record.data_segs_out;
    return made;
}

FlowKey key_of(const ballast_flow& flow) {
    return {.local = endpoint(flow.local_address, flow.local_port),
            .remote = endpoint(flow.remote_address, flow.remote_port),
            .cookie = flow.cookie,
            .interface_index = flow.interface};
}

Suspicion suspicion_of(const ballast_flow& flow, std::uint32_t hz,
                       std::chrono::steady_clock::time_point now) {
    Suspicion made;
    made.key = key_of(flow);
    made.netns = flow.netns;
    made.direction = flow.flags & BALLAST_FLOW_INBOUND ? Direction::inbound : Direction::outbound;
    made.what = Suspicion::What::probe;
    made.at = now;
    made.silent = made.earlier = ms_of_jiffies(flow.idle_jiffies, hz);
    made.rtt = std::chrono::milliseconds(flow.rtt_us / 1000 + 1);
    made.probes = flow.probes;
    return made;
}

} // namespace ballast::app
