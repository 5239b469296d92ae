// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/wiring/port_reliever.h"

#include <algorithm>
#include <utility>

#include "daemon/govern/governor.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::guards {

namespace {

/// Of the connects since tw_reuse began, so many SYNs may be sent again, in percent more than
/// before: a middlebox that objects to reused tuples drops every one.
constexpr std::uint64_t most_syns_lost_percent = 2;
/// Fewer show nothing.
constexpr std::uint64_t least_retransmits = 3;

PortRule rule_of(const PolicyInForce& in_force, const Endpoint& endpoint) {
    const Service* service = in_force.governing(endpoint);
    return {.mode = in_force.mode(GuardKind::ports, service),
            .relief = service ? service->ports.relief : in_force.policy().port_relief};
}

/// Ports that services of the policy are asked on, ascending: this host may serve them too.
std::vector<std::uint16_t> asked_ports(const Policy& policy) {
    std::vector<std::uint16_t> ports;
    for (const auto& service : policy.services)
        for (const auto& target : service.to)
            if (!target.any_port()) {
                ports.push_back(target.port_first);
                ports.push_back(target.port_last);
            }
    std::ranges::sort(ports);
    return ports;
}

std::string why_of(const Error& error) {
    switch (error.errno_value()) {
    case ENOENT:
        return "no_process";
    case ECANCELED:
        return "overridden";
    case EALREADY:
        return "done_already";
    default:
        return "failed";
    }
}

std::uint64_t lost_percent(const act::SynCounts& counts) {
    return counts.opens == 0 ? 0 : counts.retransmits * 100 / counts.opens;
}

} // namespace

PortReliever::PortReliever(const Surroundings& around, act::UndoList list)
    : policy_(around.policy), governor_(around.governor), findings_(around.findings),
      list_(std::move(list)) {}

Result<std::unique_ptr<PortReliever>> PortReliever::make(const Surroundings& around) {
    auto list = act::UndoList::open(around.runtime_dir);
    if (!list)
        return fail(list.error());
    for (const auto& undone : list->undo_all())
        log::warn("an earlier ballastd left something to undo: {}", act::text_of(undone));
    std::unique_ptr<PortReliever> made(new PortReliever(around, std::move(*list)));
    auto timer = around.loop.timer([self = made.get()] {
        self->carry_out(self->ladder_.wake(now()));
        self->arm();
    });
    if (!timer)
        return fail(timer.error());
    made->timer_ = std::move(*timer);
    return made;
}

void PortReliever::read(const PortCount& count, const std::vector<PortRow>& rows) {
    const auto in_force = policy_.now();
    const auto rule = [&](const Endpoint& endpoint) { return rule_of(*in_force, endpoint); };
    carry_out(ladder_.read(count, rows, rule, now()));
    watch_reuse();
    arm();
}

void PortReliever::changed(const PolicyInForce& now) {
    ladder_.avoid(asked_ports(now.policy()));
    carry_out(
        ladder_.end_unnamed([&](const Endpoint& endpoint) { return rule_of(now, endpoint); }));
    arm();
}

void PortReliever::stop() {
    carry_out(ladder_.end_all());
    for (const auto& undone : list_.undo_all())
        log::info("{}", act::text_of(undone));
}

void PortReliever::arm() {
    const auto next = ladder_.next_wake();
    if (next)
        timer_.arm(std::max<std::chrono::nanoseconds>(*next - now(), std::chrono::milliseconds(1)));
    else
        timer_.disarm();
}

void PortReliever::carry_out(const std::vector<ReliefOrder>& orders) {
    for (const auto& order : orders) {
        switch (order.kind) {
        case ReliefOrder::Kind::begin:
            begin(order);
            break;
        case ReliefOrder::Kind::flip:
            flip_again(order);
            break;
        case ReliefOrder::Kind::end:
            end(order);
            break;
        }
    }
}

void PortReliever::begin(const ReliefOrder& order) {
    if (order.mode != Mode::enforce)
        return withhold(order, "observe");
    if (governor_.lock()->is_dry_run()) {
        ladder_.failed(order.netns, order.rung, now());
        return withhold(order, "dry_run");
    }
    if (!governor_.lock()->may_act(now())) {
        ladder_.failed(order.netns, order.rung, now());
        return withhold(order, "caps");
    }
    if (const auto done = do_begin(order); !done) {
        log::warn("relief {} in network namespace {}: {}", name_of(order.rung), order.netns,
                  done.error().text());
        ladder_.failed(order.netns, order.rung, now());
        return withhold(order, why_of(done.error()));
    }
    add(findings::Reason::ports_relief, order, order.evidence, true);
}

Result<void> PortReliever::do_begin(const ReliefOrder& order) {
    auto space = spaces_.find(order.netns);
    if (space == spaces_.end()) {
        auto relief = act::SpaceRelief::open(order.netns, list_);
        if (!relief)
            return fail(relief.error());
        space = spaces_.emplace(order.netns, Space{std::move(*relief), {}}).first;
    }
    InForce begun{.began = now(), .flips = 0, .syns = {}};
    act::SpaceRelief& relief = space->second.relief;
    Result<void> done;
    switch (order.rung) {
    case Relief::flip:
        done = relief.flip();
        break;
    case Relief::tw_reuse:
        if (const auto syns = relief.syn_counts())
            begun.syns = *syns;
        done = relief.reuse();
        break;
    case Relief::widen:
        done = relief.widen({order.low, order.high});
        break;
    }
    if (done)
        space->second.rungs.at(static_cast<std::size_t>(order.rung)) = begun;
    else
        drop(order.netns, order.rung);
    return done;
}

void PortReliever::flip_again(const ReliefOrder& order) {
    const auto space = spaces_.find(order.netns);
    if (space == spaces_.end())
        return;
    auto& rung = space->second.rungs.at(static_cast<std::size_t>(order.rung));
    if (!rung)
        return;
    const auto done = space->second.relief.flip();
    if (done) {
        ++rung->flips;
        ++flips_;
        return;
    }
    const std::string why = why_of(done.error());
    log::warn("relief flip in network namespace {}: {}", order.netns, done.error().text());
    add(findings::Reason::ports_relief_over, order,
        fmt::format("rung={} source={} netns={} why={}", name_of(order.rung),
                    order.tuple.source.text(), order.netns, why),
        {});
    ladder_.failed(order.netns, order.rung, now());
    drop(order.netns, order.rung);
}

Result<void> PortReliever::do_end(act::SpaceRelief& relief, Relief rung) {
    switch (rung) {
    case Relief::flip:
        return relief.stop_flipping();
    case Relief::tw_reuse:
        return relief.stop_reusing();
    case Relief::widen:
        return relief.stop_widening();
    }
    return {};
}

void PortReliever::end(const ReliefOrder& order) {
    const auto space = spaces_.find(order.netns);
    if (space == spaces_.end() || !space->second.rungs.at(static_cast<std::size_t>(order.rung)))
        return; // it never began
    std::string evidence = order.evidence;
    if (const auto done = do_end(space->second.relief, order.rung); !done) {
        log::warn("relief {} in network namespace {}: {}", name_of(order.rung), order.netns,
                  done.error().text());
        evidence += " undo=" + why_of(done.error());
    }
    drop(order.netns, order.rung);
    add(findings::Reason::ports_relief_over, order, evidence, {});
}

void PortReliever::drop(std::uint32_t netns, Relief rung) {
    const auto space = spaces_.find(netns);
    if (space == spaces_.end())
        return;
    space->second.rungs.at(static_cast<std::size_t>(rung)).reset();
    if (std::ranges::none_of(space->second.rungs, [](const auto& one) { return one.has_value(); }))
        spaces_.erase(space);
}

/// A middlebox that still holds the connection of before drops its successor's SYN.
void PortReliever::watch_reuse() {
    std::vector<ReliefOrder> taken_back;
    for (auto& [netns, space] : spaces_) {
        const auto& rung = space.rungs.at(static_cast<std::size_t>(Relief::tw_reuse));
        if (!rung || !rung->syns)
            continue;
        const auto now_syns = space.relief.syn_counts();
        if (!now_syns)
            continue;
        const act::SynCounts since{.opens = now_syns->opens - rung->syns->opens,
                                   .retransmits = now_syns->retransmits - rung->syns->retransmits};
        if (since.retransmits < least_retransmits ||
            lost_percent(since) <= lost_percent(*rung->syns) + most_syns_lost_percent)
            continue;
        ReliefOrder order{.kind = ReliefOrder::Kind::end,
                          .rung = Relief::tw_reuse,
                          .netns = netns,
                          .mode = Mode::enforce,
                          .tuple = {}};
        order.evidence = fmt::format("rung=tw_reuse netns={} why=syns_lost opens={} retransmits={}",
                                     netns, since.opens, since.retransmits);
        taken_back.push_back(std::move(order));
    }
    for (const auto& order : taken_back) {
        end(order);
        ladder_.failed(order.netns, order.rung, now());
    }
}

void PortReliever::withhold(const ReliefOrder& order, const std::string& why) {
    ++withheld_;
    add(findings::Reason::ports_relief_withheld, order, order.evidence + " why=" + why, false);
}

void PortReliever::add(findings::Reason reason, const ReliefOrder& order,
                       const std::string& evidence, std::optional<bool> acted) {
    Finding made;
    made.reason = reason;
    made.destination = order.tuple.remote;
    made.evidence = evidence;
    made.netns = order.netns;
    made.acted = acted;
    const auto in_force = policy_.now();
    if (const Service* service = in_force->governing(order.tuple.remote))
        made.service = service->name;
    findings_.add(std::move(made));
}

void PortReliever::report(PortsStatus& status) const {
    status.flips = flips_;
    status.withheld = withheld_;
    for (const auto& [netns, space] : spaces_)
        for (std::size_t i = 0; i < kReliefs; ++i)
            status.in_force.at(i) += space.rungs.at(i).has_value() ? 1U : 0U;
}

std::vector<ReliefRow> PortReliever::rows() const {
    std::vector<ReliefRow> rows;
    for (const auto& [netns, space] : spaces_)
        for (std::size_t i = 0; i < kReliefs; ++i)
            if (const auto& rung = space.rungs.at(i))
                rows.push_back({.netns = netns,
                                .relief = static_cast<Relief>(i),
                                .age = std::chrono::duration_cast<std::chrono::milliseconds>(
                                    now() - rung->began),
                                .flips = rung->flips});
    return rows;
}

} // namespace ballast::guards
