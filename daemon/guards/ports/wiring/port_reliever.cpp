// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/wiring/port_reliever.h"

#include <algorithm>
#include <utility>

#include "daemon/act/reap.h"
#include "daemon/govern/governor.h"
#include "daemon/guards/ports/port_forecast.h"
#include "daemon/kernel/instance.h"
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
    : instance_(around.instance), policy_(around.policy), governor_(around.governor),
      findings_(around.findings), list_(std::move(list)) {}

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
    watch_reuse();
    watch_tuples(rows);
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
    const auto done = is_for_tuple(order.rung) ? begin_for_tuple(order) : begin_in_space(order);
    if (!done) {
        drop(order);
        log::warn("relief {} in network namespace {}: {}", name_of(order.rung), order.netns,
                  done.error().text());
        ladder_.failed(order, now());
        return withhold(order, why_of(done.error()));
    }
    add(findings::Reason::ports_relief, order, order.evidence, true);
}

Result<void> PortReliever::begin_in_space(const ReliefOrder& order) {
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
    if (order.rung == Relief::flip)
        done = relief.flip();
    if (order.rung == Relief::widen)
        done = relief.widen({order.low, order.high});
    if (order.rung == Relief::tw_reuse) {
        if (const auto syns = relief.syn_counts())
            begun.syns = *syns;
        done = relief.reuse();
    }
    if (done)
        space->second.rungs.at(static_cast<std::size_t>(order.rung)) = begun;
    return done;
}

Result<void> PortReliever::begin_for_tuple(const ReliefOrder& order) {
    const auto space = act::SpaceRelief::open(order.netns, list_);
    if (!space)
        return fail(space.error());
    if (order.rung == Relief::reap) {
        Tuple& reaped = tuples_[order.tuple];
        reaped.key = {.netns_cookie = space->cookie(), .remote = order.tuple.remote};
        reaped.where = {order.netns, ""};
        reaped.capacity = order.capacity;
        reaped.rungs.at(static_cast<std::size_t>(order.rung)) =
            InForce{.began = now(), .flips = 0, .syns = {}};
        return {}; // the pass, which goes on with it, knows how many
    }
    if (!connect_) {
        auto attached = kernel::ConnectRelief::attach(instance_.programs().cgroup(),
                                                      instance_.programs().bpffs_dir());
        if (!attached)
            return fail(attached.error());
        connect_ = std::move(*attached);
    }
    Tuple& tuple = tuples_[order.tuple];
    tuple.key = {.netns_cookie = space->cookie(), .remote = order.tuple.remote};
    tuple.capacity = order.capacity;
    tuple.rule.source = order.tuple.source;
    if (order.rung == Relief::own_range) {
        tuple.rule.low = order.low;
        tuple.rule.high = order.high;
    }
    if (order.rung == Relief::spread)
        tuple.rule.sources = order.sources;
    if (order.rung == Relief::refuse)
        tuple.rule.refuse_for = order.refuse_for;
    auto done = connect_->put(tuple.key, tuple.rule);
    if (done)
        tuple.rungs.at(static_cast<std::size_t>(order.rung)) =
            InForce{.began = now(), .flips = 0, .syns = {}};
    return done;
}

/// So that a twentieth of the ports is free, or what is opened within two passes.
Result<void> PortReliever::reap_some(const TupleKey& key, Tuple& tuple, std::uint32_t used,
                                     std::uint32_t opens_per_s) {
    const std::uint32_t free = tuple.capacity > used ? tuple.capacity - used : 0;
    const std::uint32_t wanted = std::max(2 * opens_per_s, tuple.capacity / 20);
    if (free >= wanted || !governor_.lock()->may_act(now()))
        return {};
    const auto reaped =
        act::reap_time_wait(tuple.where, tuple.key.netns_cookie, key, wanted - free);
    if (!reaped)
        return fail(reaped.error());
    tuple.reaped += *reaped;
    return {};
}

std::optional<PortReliever::InForce>* PortReliever::find(const ReliefOrder& order) {
    const auto at = static_cast<std::size_t>(order.rung);
    if (is_for_tuple(order.rung)) {
        const auto tuple = tuples_.find(order.tuple);
        return tuple == tuples_.end() ? nullptr : &tuple->second.rungs.at(at);
    }
    const auto space = spaces_.find(order.netns);
    return space == spaces_.end() ? nullptr : &space->second.rungs.at(at);
}

void PortReliever::flip_again(const ReliefOrder& order) {
    auto* rung = find(order);
    if (!rung || !*rung)
        return;
    const auto done = spaces_.at(order.netns).relief.flip();
    if (done) {
        ++(*rung)->flips;
        ++flips_;
        return;
    }
    log::warn("relief flip in network namespace {}: {}", order.netns, done.error().text());
    add(findings::Reason::ports_relief_over, order,
        fmt::format("rung={} source={} netns={} why={}", name_of(order.rung),
                    order.tuple.source.text(), order.netns, why_of(done.error())),
        {});
    ladder_.failed(order, now());
    drop(order);
}

Result<void> PortReliever::end_in_space(act::SpaceRelief& relief, Relief rung) {
    if (rung == Relief::flip)
        return relief.stop_flipping();
    if (rung == Relief::tw_reuse)
        return relief.stop_reusing();
    return relief.stop_widening();
}

void PortReliever::end_for_tuple(const ReliefOrder& order) {
    Tuple& tuple = tuples_.at(order.tuple);
    if (order.rung == Relief::own_range)
        tuple.rule.low = tuple.rule.high = 0;
    if (order.rung == Relief::spread)
        tuple.rule.sources.clear();
    if (order.rung == Relief::refuse)
        tuple.rule.refuse_for = {};
    if (order.rung == Relief::reap)
        return; // what is gone is gone
    if (tuple.rule.empty())
        connect_->remove(tuple.key);
    else
        (void)connect_->put(tuple.key, tuple.rule); // it is there, so there is room
}

void PortReliever::end(const ReliefOrder& order) {
    const auto* rung = find(order);
    if (!rung || !*rung)
        return; // it never began
    std::string evidence = order.evidence;
    if (is_for_tuple(order.rung)) {
        end_for_tuple(order);
    } else if (const auto done = end_in_space(spaces_.at(order.netns).relief, order.rung); !done) {
        log::warn("relief {} in network namespace {}: {}", name_of(order.rung), order.netns,
                  done.error().text());
        evidence += " undo=" + why_of(done.error());
    }
    drop(order);
    add(findings::Reason::ports_relief_over, order, evidence, {});
}

/// Forgets it, and what nothing is left of.
void PortReliever::drop(const ReliefOrder& order) {
    if (auto* rung = find(order))
        rung->reset();
    const auto is_idle = [](const auto& entry) {
        return std::ranges::none_of(entry.second.rungs,
                                    [](const auto& one) { return one.has_value(); });
    };
    std::erase_if(spaces_, is_idle);
    std::erase_if(tuples_, is_idle);
    if (std::ranges::all_of(tuples_, [](const auto& entry) { return entry.second.rule.empty(); }))
        connect_.reset();
}

/// What the passes do not see, and what is to be done at each.
void PortReliever::watch_tuples(const std::vector<PortRow>& rows) {
    std::vector<ReliefOrder> failed;
    for (auto& [key, tuple] : tuples_) {
        const auto found = std::ranges::find(rows, key, &PortRow::key);
        const PortRow* row = found == rows.end() ? nullptr : &*found;
        if (!tuple.rule.empty())
            watch_rule(key, tuple, row);
        if (!tuple.rungs.at(static_cast<std::size_t>(Relief::reap)) || !row)
            continue;
        if (const auto done = reap_some(key, tuple, row->used, row->opens_per_s); !done) {
            log::warn("relief reap in network namespace {}: {}", key.netns, done.error().text());
            failed.push_back({.kind = ReliefOrder::Kind::end,
                              .rung = Relief::reap,
                              .netns = key.netns,
                              .mode = Mode::enforce,
                              .tuple = key,
                              .evidence = "rung=reap why=" + why_of(done.error())});
        }
    }
    for (const auto& order : failed) {
        end(order);
        ladder_.failed(order, now());
    }
}

/// Ports of the own range are not seen by passes; and the next TIME_WAIT ends at another time.
void PortReliever::watch_rule(const TupleKey& key, Tuple& tuple, const PortRow* row) {
    const auto counts = connect_->counts(tuple.key);
    if (!counts)
        return;
    const std::chrono::duration<double> since = now() - std::exchange(tuple.counted, now());
    const auto given = static_cast<double>(counts->given - tuple.counts.given);
    // Little's law, at TIME_WAIT's 60 s (port_forecast.h, M3)
    const double settles_at = given / since.count() * PortTrend::lingers.count();
    tuple.counts = *counts;
    if (settles_at * 100 >= tuple.capacity * PortLadder::calm_percent)
        ladder_.in_use({.rung = Relief::own_range, .netns = key.netns, .tuple = key}, now());
    if (tuple.rule.refuse_for.count() == 0 || !row || !row->next_end)
        return;
    tuple.rule.refuse_for =
        std::clamp(*row->next_end, PortLadder::shortest_refusal, PortLadder::longest_refusal);
    (void)connect_->put(tuple.key, tuple.rule); // it is there, so there is room
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
                          .tuple = {.netns = netns, .source = {}, .remote = {}}};
        order.evidence = fmt::format("rung=tw_reuse netns={} why=syns_lost opens={} retransmits={}",
                                     netns, since.opens, since.retransmits);
        taken_back.push_back(std::move(order));
    }
    for (const auto& order : taken_back) {
        end(order);
        ladder_.failed(order, now());
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

void PortReliever::add_uses(ReliefRow& row, const Tuple& tuple) const {
    if (row.relief == Relief::reap) {
        row.uses = tuple.reaped;
        return;
    }
    const auto counts = connect_->counts(tuple.key).value_or(tuple.counts);
    row.uses = row.relief == Relief::own_range ? counts.given
               : row.relief == Relief::spread  ? counts.spread
                                               : counts.refused;
    row.missed = row.relief == Relief::refuse ? counts.exhausted : counts.missed;
}

void PortReliever::report(PortsStatus& status) const {
    status.flips = flips_;
    status.withheld = withheld_;
    for (const auto& row : rows())
        ++status.in_force.at(static_cast<std::size_t>(row.relief));
}

std::vector<ReliefRow> PortReliever::rows() const {
    std::vector<ReliefRow> rows;
    const auto row_of = [&](std::uint32_t netns, std::size_t relief, const InForce& rung) {
        return ReliefRow{
            .netns = netns,
            .relief = static_cast<Relief>(relief),
            .source = {},
            .remote = {},
            .age = std::chrono::duration_cast<std::chrono::milliseconds>(now() - rung.began),
            .uses = rung.flips,
            .missed = 0};
    };
    for (const auto& [netns, space] : spaces_)
        for (std::size_t i = 0; i < kReliefs; ++i)
            if (const auto& rung = space.rungs.at(i))
                rows.push_back(row_of(netns, i, *rung));
    for (const auto& [key, tuple] : tuples_)
        for (std::size_t i = 0; i < kReliefs; ++i)
            if (const auto& rung = tuple.rungs.at(i)) {
                auto row = row_of(key.netns, i, *rung);
                row.source = key.source;
                row.remote = key.remote;
                add_uses(row, tuple);
                rows.push_back(row);
            }
    return rows;
}

} // namespace ballast::guards
