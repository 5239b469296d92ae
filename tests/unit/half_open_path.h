// SPDX-License-Identifier: Apache-2.0
// A path with TCP flows on it, in steps of 10 ms of made-up time, watched by a HalfOpenGuard.
#pragma once

#include <random>
#include <utility>
#include <vector>

#include "bpf/abi.h"
#include "daemon/guards/half_open/half_open_guard.h"

namespace ballast::test {

using guards::Monotonic;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

/// Packets of everyone are lost between `from` and `until`.
struct Outage {
    milliseconds from{0};
    milliseconds until{0};
};

struct PathPlan {
    std::vector<Outage> outages = {};
    unsigned loss_percent = 0; ///< each way
    unsigned seed = 1;
    milliseconds lossy_from{0};
};

/// A flow that writes at `first` and then, where `every` is not 0, again after each answer; or one
/// that only reads, with keepalive after `first` of silence.
struct FlowPlan {
    milliseconds first{5000};
    milliseconds every{0};
    milliseconds keepalive{0};  ///< between probes; 0: none
    std::uint8_t count = 99;    ///< probes after which it ends
    std::uint32_t segments = 0; ///< sent before, all acknowledged at once
    bool is_dropped = false;    ///< the firewall has forgotten it
    milliseconds dropped_from{0};
    bool is_new = false;       ///< nothing of it was ever acknowledged or answered
    std::uint32_t segment = 0; ///< bytes that it sends at a time; 0: few
    milliseconds hears{0};     ///< what its peer sends arrives, so often; 0: does not
};

class Path {
public:
    Path(PathPlan plan, const std::vector<FlowPlan>& flows) : plan_(std::move(plan)) {
        for (const auto& flow : flows)
            flows_.push_back({.plan = flow,
                              .cookie = flows_.size() + 1,
                              .write_at = flow.first,
                              .segments = flow.segments});
    }

    /// Lets time pass; returns what was concluded meanwhile.
    std::vector<HalfOpenVerdict> run(milliseconds until) {
        std::vector<HalfOpenVerdict> verdicts;
        for (; now_ < until; now_ += step) {
            for (auto& flow : flows_)
                hear(flow);
            for (auto& flow : flows_)
                flow.plan.keepalive.count() != 0 ? keep_alive(flow) : advance(flow);
            if (now_ % sweep == 0ms)
                meet();
            for (const auto& peer : guard.due(time(now_)))
                guard.on_flows(peer, list(), time(now_));
            for (const auto& made : guard.judge(time(now_)))
                verdicts.push_back(made);
        }
        return verdicts;
    }

    guards::HalfOpenGuard guard;
    guards::HalfOpenGuard::Rules rules;

private:
    static constexpr milliseconds step{10};
    static constexpr milliseconds suspect_after{1000};
    static constexpr milliseconds sweep{5000};

    struct Flow {
        FlowPlan plan;
        std::uint64_t cookie;
        milliseconds write_at; ///< or the next try
        milliseconds heard{0};
        milliseconds gap{0}; ///< before the next try
        unsigned sent = 0;   ///< times that the segment under way was
        std::uint64_t bytes_acked = 0;
        std::uint8_t probes = 0;
        std::uint32_t total_retrans = 0;
        std::uint32_t segments = 0;
        bool is_done = false;
    };

    static Monotonic time(milliseconds at) { return Monotonic{std::chrono::hours(1) + at}; }

    bool arrives() {
        for (const auto& outage : plan_.outages)
            if (now_ >= outage.from && now_ < outage.until)
                return false;
        const auto lost = [&] {
            return now_ >= plan_.lossy_from && random_() % 100 < plan_.loss_percent;
        };
        const bool is_lost = lost(); // on the way there, or else back
        return !is_lost && !lost();
    }

    [[nodiscard]] bool is_dropped(const Flow& flow) const {
        return flow.plan.is_dropped && now_ >= flow.plan.dropped_from;
    }

    /// As Linux does at a small RTT: a tail loss probe after 200 ms, then an RTO that doubles.
    void advance(Flow& flow) {
        if (flow.is_done || now_ < flow.write_at)
            return;
        ++flow.sent;
        ++flow.segments;
        if (flow.sent > 1)
            tell(flow);
        if (!is_dropped(flow) && arrives()) {
            flow.heard = now_;
            ++flow.bytes_acked;
            flow.sent = 0;
            flow.is_done = flow.plan.every.count() == 0;
            flow.write_at = now_ + flow.plan.every;
            return;
        }
        flow.gap = flow.sent <= 2 ? milliseconds(200) : 2 * flow.gap;
        flow.write_at = now_ + flow.gap;
    }

    void hear(Flow& flow) const {
        if (flow.plan.hears.count() != 0 && now_ % flow.plan.hears == 0ms)
            flow.heard = now_;
    }

    void keep_alive(Flow& flow) {
        if (flow.is_done || now_ < flow.write_at)
            return;
        if (flow.probes == flow.plan.count) {
            end(flow);
            return;
        }
        ++flow.probes;
        flow.write_at = now_ + flow.plan.keepalive;
        if (is_dropped(flow) || !arrives())
            return;
        flow.heard = now_;
        flow.probes = 0;
        flow.write_at = now_ + flow.plan.first;
    }

    [[nodiscard]] Suspicion probed(const Flow& flow, Suspicion::What what) const {
        Suspicion told;
        told.key = key_of(flow);
        told.what = what;
        told.at = time(now_);
        told.silent = now_ - flow.heard;
        told.probes = flow.probes;
        return told;
    }

    void end(Flow& flow) {
        flow.is_done = true;
        Suspicion told = probed(flow, Suspicion::What::timed_out);
        told.try_gap = flow.plan.keepalive;
        guard.on_suspicion(told, rules);
    }

    /// What a sweep tells of.
    void meet() {
        for (const auto& flow : flows_) {
            if (flow.is_done || flow.probes < BALLAST_PROBES_TELLING)
                continue;
            Suspicion told = probed(flow, Suspicion::What::probe);
            told.earlier = told.silent;
            guard.on_suspicion(told, rules);
        }
    }

    void tell(Flow& flow) {
        ++flow.total_retrans;
        const bool is_stuck = flow.sent >= 2 + BALLAST_RETRANSMISSIONS_TELLING;
        if (now_ - flow.heard < suspect_after && !is_stuck)
            return;
        Suspicion told;
        told.key = key_of(flow);
        told.is_tail_probe = flow.sent == 2;
        told.retransmits = flow.sent - 2;
        told.at = time(now_);
        told.try_gap = told.is_tail_probe ? 0ms : flow.gap;
        told.silent = now_ - flow.heard;
        told.bytes_acked = flow.bytes_acked;
        told.packets_out = 1;
        told.snd_wnd = 1000;
        told.total_retrans = flow.total_retrans;
        told.data_segs_out = flow.segments;
        told.bytes_received = flow.plan.is_new ? 0 : 1;
        told.segment = flow.plan.segment;
        guard.on_suspicion(told, rules);
    }

    static FlowKey key_of(const Flow& flow) {
        FlowKey key;
        key.cookie = flow.cookie;
        key.local.port = static_cast<std::uint16_t>(10000 + flow.cookie);
        key.remote.port = 5432;
        return key;
    }

    [[nodiscard]] FlowList list() const {
        FlowList all;
        for (const auto& flow : flows_) {
            if (flow.is_done && flow.plan.keepalive.count() != 0)
                continue;
            DiagSocket socket;
            socket.key = key_of(flow);
            socket.tcp.last_ack_recv_ms = static_cast<std::uint32_t>((now_ - flow.heard).count());
            socket.tcp.last_data_recv_ms = socket.tcp.last_ack_recv_ms;
            socket.tcp.bytes_acked = flow.bytes_acked;
            socket.tcp.snd_wnd = 1000;
            socket.tcp.total_retrans = flow.total_retrans;
            socket.tcp.data_segs_out = flow.segments;
            socket.timer = flow.probes != 0 ? TcpTimer::keepalive : TcpTimer::off;
            socket.timer_retransmits = flow.probes;
            socket.tcp.retransmits = static_cast<std::uint8_t>(flow.sent > 2 ? flow.sent - 2 : 0);
            all.flows.push_back(socket);
        }
        return all;
    }

    PathPlan plan_;
    std::vector<Flow> flows_;
    milliseconds now_{0};
    std::mt19937 random_{plan_.seed};
};

/// What the guard makes of living flows on paths that lose packets.
struct Losses {
    unsigned dropped = 0; ///< called silently dropped, in error
    unsigned suspected = 0;
};

/// Each of `paths` loses 20% each way, in a way of its own, from some time on.
inline Losses lose(const std::vector<FlowPlan>& flows, unsigned paths, milliseconds until,
                   milliseconds from = 0ms) {
    Losses losses;
    for (unsigned seed = 0; seed < paths; ++seed) {
        Path path({.loss_percent = 20, .seed = seed, .lossy_from = from}, flows);
        for (const auto& verdict : path.run(until))
            losses.dropped += verdict.kind == HalfOpenKind::silently_dropped ? 1U : 0U;
        losses.suspected += static_cast<unsigned>(path.guard.counts().suspected);
    }
    return losses;
}

} // namespace ballast::test
