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

PortRule rule_of(const PolicyInForce& in_force, const Endpoint& endpoint) {
    const Service* service = in_force.governing(endpoint);
    PortRule rule = service ? service->ports : in_force.policy().ports;
    rule.mode = in_force.mode(GuardKind::ports, service);
    if (in_force.policy().governor.dry_run)
        rule.mode = std::min(rule.mode, Mode::observe);
    return rule;
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

} // namespace

PortReliever::PortReliever(const Surroundings& around, act::UndoList list)
    : policy_(around.policy), governor_(around.governor), findings_(around.findings),
      list_(std::move(list)), spaces_(list_), tuples_(around.instance, list_) {}

Result<std::unique_ptr<PortReliever>> PortReliever::make(const Surroundings& around) {
    auto list = act::UndoList::open(around.runtime_dir);
    if (!list) {
        log::error("what an earlier ballastd left is not undone: {}; the file is kept as "
                   "undo.json.unread",
                   list.error().text());
        list = act::UndoList::begin_anew(around.runtime_dir);
    }
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
    give_up(spaces_.objected_to());
    give_up(tuples_.follow(rows, ladder_, [this] { return governor_.lock()->may_act(now()); }));
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
        return withhold(order, governor_.lock()->is_dry_run() ? "dry_run" : "observe");
    if (!governor_.lock()->may_act(now())) {
        ladder_.failed(order, now());
        return withhold(order, "caps");
    }
    const auto done = is_for_tuple(order.rung) ? tuples_.begin(order) : spaces_.begin(order);
    if (!done) {
        drop(order);
        log::warn("relief {} in network namespace {}: {}", name_of(order.rung), order.netns,
                  done.error().text());
        ladder_.failed(order, now());
        return withhold(order, why_of(done.error()));
    }
    add(findings::Reason::ports_relief, order, order.evidence, true);
}

void PortReliever::flip_again(const ReliefOrder& order) {
    const auto done = spaces_.flip(order);
    if (done)
        return;
    log::warn("relief flip in network namespace {}: {}", order.netns, done.error().text());
    add(findings::Reason::ports_relief_over, order,
        fmt::format("rung={} source={} netns={} why={}", name_of(order.rung),
                    order.tuple.source.text(), order.netns, why_of(done.error())),
        {});
    ladder_.failed(order, now());
    drop(order);
}

void PortReliever::end(const ReliefOrder& order) {
    if (!(is_for_tuple(order.rung) ? tuples_.has(order) : spaces_.has(order)))
        return; // it never began
    std::string evidence = order.evidence;
    if (is_for_tuple(order.rung)) {
        tuples_.end(order);
    } else if (const auto done = spaces_.end(order); !done) {
        log::warn("relief {} in network namespace {}: {}", name_of(order.rung), order.netns,
                  done.error().text());
        evidence += " undo=" + why_of(done.error());
    }
    add(findings::Reason::ports_relief_over, order, evidence, {});
}

/// Ends what did not do what it is for, and does not try it again for a while.
void PortReliever::give_up(const std::vector<ReliefOrder>& orders) {
    for (const auto& order : orders) {
        end(order);
        ladder_.failed(order, now());
    }
}

void PortReliever::drop(const ReliefOrder& order) {
    if (is_for_tuple(order.rung))
        tuples_.drop(order);
    else
        spaces_.drop(order);
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
    status.flips = spaces_.flips();
    status.withheld = withheld_;
    for (const auto& row : rows())
        ++status.in_force.at(static_cast<std::size_t>(row.relief));
}

std::vector<ReliefRow> PortReliever::rows() const {
    std::vector<ReliefRow> rows;
    spaces_.add_rows(rows);
    tuples_.add_rows(rows);
    return rows;
}

} // namespace ballast::guards
