// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/fleet.h"

#include <algorithm>
#include <chrono>

namespace ballast::sim {

namespace {

constexpr std::chrono::seconds kStart{60}; // keepalive_start
constexpr Ms kSweep = 5 * kSecond;
/// Packets of data unanswered in a row after which a drop counts as confirmed and the bound hears
/// of it: those of the first half minute (IdleBound::died() says why so many).
constexpr int kConfirming = 8;

guards::IdleBound::Monotonic moment(Ms at) {
    return guards::IdleBound::Monotonic(std::chrono::milliseconds(at));
}

/// When a kernel timer of `delay` fires: on a grid of up to an eighth of it, at 250 Hz
/// (kernel/time/timer.c, calc_index()).
Ms fires(Ms now, Ms delay) {
    constexpr Ms tick = 4;
    const Ms ticks = (delay + tick - 1) / tick;
    int shift = 0;
    while (ticks >= Ms{64} << shift)
        shift += 3;
    return ((((now / tick + ticks) >> shift) + 1) << shift) * tick;
}

} // namespace

Fleet::Fleet(const Path& path, const Policy& policy, std::uint64_t seed)
    : path_(path), policy_(policy), loss_(seed) {
    for (int i = 0; i < flows; ++i)
        flows_.push_back({.random = Random(loss_.number())});
}

std::optional<guards::Keepalive> Fleet::keepalive_of(const Flow& flow, Ms now) const {
    if (!started_ || !policy_.automatic)
        return started_ ? policy_.fixed : std::nullopt;
    return guards::choose_keepalive(bound_.at(moment(now)), kStart, policy_.longest, flow.number);
}

void Fleet::open(std::size_t index, Ms now) {
    Flow& flow = flows_[index];
    flow = Flow{.random = flow.random, .version = flow.version};
    flow.place = flow.random.unit();
    flow.number = static_cast<std::uint32_t>(flow.random.number());
    flow.ends_at = now + flow.random.exponential(mean_life);
    flow.next_use = now + flow.random.exponential(path_.mean_gap);
    flow.forgotten_at = now + path_.timeout(flow.place, now);
    flow.last_packet = flow.last_heard = now;
    flow.keepalive = keepalive_of(flow, now);
    flow.next_probe = flow.keepalive ? fires(now, flow.keepalive->idle_ms) : kNever;
    schedule(index);
}

void Fleet::schedule(std::size_t index) {
    Flow& flow = flows_[index];
    const Ms at = std::min({flow.next_use, flow.ends_at, flow.next_probe});
    events_.push({at, index, ++flow.version});
}

/// True if the path lets a packet through; its timer begins anew.
bool Fleet::pass(Flow& flow, Ms now) {
    if (now >= flow.forgotten_at)
        return false;
    flow.forgotten_at = now + path_.timeout(flow.place, now);
    return true;
}

void Fleet::drop_seen(Ms gap, Ms now) {
    if (!started_ || !policy_.automatic)
        return;
    const auto verdict = bound_.died(std::chrono::milliseconds(gap), moment(now));
    outcome_.drops_counted += verdict == guards::IdleBound::Verdict::counted;
    outcome_.drops_outvoted += verdict == guards::IdleBound::Verdict::outvoted;
}

void Fleet::gap_seen(Ms gap, Ms now) {
    if (started_ && policy_.automatic)
        bound_.survived(std::chrono::milliseconds(gap), moment(now));
}

void Fleet::count_lost(const Flow& flow, Ms now) {
    if (!started_ || flow.forgotten_before_start)
        return;
    const auto day = static_cast<std::size_t>(now / kDay);
    ++outcome_.lost.at(std::min(day, outcome_.lost.size() - 1));
}

void Fleet::lose(std::size_t index, Ms gap, Ms now) {
    count_lost(flows_[index], now);
    drop_seen(gap, now);
    open(index, now);
}

/// The application sends and is answered, after as many retransmissions as it takes.
void Fleet::use(std::size_t index, Ms now) {
    Flow& flow = flows_[index];
    const Ms gap = flow.unanswered > 0 ? flow.silent_before : now - flow.last_packet;
    if (!pass(flow, now)) {
        lose(index, gap, now);
        return;
    }
    int tries = 1;
    while (loss_.chance(path_.loss) || loss_.chance(path_.loss))
        ++tries;
    if (tries > kConfirming || loss_.chance(path_.false_drops))
        drop_seen(gap, now); // not so, as the answer shows
    gap_seen(now - flow.last_packet, now);
    flow.last_packet = flow.last_heard = now;
    flow.unanswered = 0;
    flow.next_use = now + flow.random.exponential(path_.mean_gap);
    flow.next_probe = flow.keepalive ? fires(now, flow.keepalive->idle_ms) : kNever;
    schedule(index);
}

void Fleet::probe(std::size_t index, Ms now) {
    Flow& flow = flows_[index];
    if (flow.unanswered >= flow.keepalive->count) {
        lose(index, flow.silent_before, now);
        return;
    }
    const Ms gap = now - flow.last_packet;
    if (flow.unanswered == 0)
        flow.silent_before = gap;
    ++outcome_.probes;
    flow.last_packet = now;
    const bool is_answered =
        !loss_.chance(path_.loss) && pass(flow, now) && !loss_.chance(path_.loss);
    if (is_answered) {
        gap_seen(gap, now);
        flow.last_heard = now;
        flow.unanswered = 0;
    } else {
        ++flow.unanswered;
    }
    flow.next_probe =
        fires(now, is_answered ? flow.keepalive->idle_ms : flow.keepalive->interval_ms);
    schedule(index);
}

void Fleet::handle(std::size_t index, Ms now) {
    const Flow& flow = flows_[index];
    if (now >= flow.ends_at) {
        if (now >= flow.forgotten_at)
            count_lost(flow, now);
        open(index, now);
    } else if (now >= flow.next_use) {
        use(index, now);
    } else {
        probe(index, now);
    }
}

void Fleet::step(Ms until) {
    while (!events_.empty() && events_.top().at < until) {
        const Event event = events_.top();
        events_.pop();
        if (event.version == flows_[event.flow].version)
            handle(event.flow, event.at);
    }
}

/// What a sweep does to live sockets: a new idle time counts from when the flow was last heard.
void Fleet::retune(Ms now) {
    for (std::size_t index = 0; index < flows_.size(); ++index) {
        Flow& flow = flows_[index];
        flow.keepalive = keepalive_of(flow, now);
        if (!flow.keepalive || flow.unanswered > 0)
            continue;
        const Ms left = flow.last_heard + flow.keepalive->idle_ms - now;
        flow.next_probe = left > 0 ? fires(now, left) : now;
        schedule(index);
    }
}

void Fleet::start() {
    started_ = true;
    for (Flow& flow : flows_)
        flow.forgotten_before_start = flow.forgotten_at <= 0;
    retune(0);
}

void Fleet::restart_path(Ms now) {
    for (Flow& flow : flows_)
        flow.forgotten_at = std::min(flow.forgotten_at, now);
}

Outcome Fleet::run(int days) {
    outcome_.lost.assign(static_cast<std::size_t>(days), 0);
    for (std::size_t index = 0; index < flows_.size(); ++index)
        open(index, -kDay);
    step(0);
    start();
    for (Ms now = 0; now < days * kDay; now += kSweep) {
        if (path_.restarts_on > 0 && now == path_.restarts_on * kDay)
            restart_path(now);
        step(now + kSweep);
        if (!policy_.automatic)
            continue;
        const Ms idle =
            guards::longest_idle(bound_.at(moment(now + kSweep)), kStart, policy_.longest).count();
        if (idle / kSecond != idle_in_force_)
            retune(now + kSweep);
        idle_in_force_ = idle / kSecond;
    }
    for (const Flow& flow : flows_)
        if (days * kDay >= flow.forgotten_at)
            count_lost(flow, days * kDay);
    return outcome_;
}

} // namespace ballast::sim
