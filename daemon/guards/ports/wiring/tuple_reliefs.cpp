// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/wiring/tuple_reliefs.h"

#include <algorithm>
#include <utility>

#include "daemon/act/reap.h"
#include "daemon/guards/ports/port_forecast.h"
#include "daemon/guards/ports/wiring/syn_objection.h"
#include "daemon/util/log.h"

namespace ballast::guards {

namespace {

/// Puts what the rung asks for into the rule, or takes it out.
void change(kernel::ConnectRelief::Rule& rule, const ReliefOrder& order, bool is_begin) {
    if (order.rung == Relief::own_range) {
        rule.low = is_begin ? order.low : std::uint16_t{0};
        rule.high = is_begin ? order.high : std::uint16_t{0};
    }
    if (order.rung == Relief::spread)
        rule.sources = is_begin ? order.sources : std::vector<Address>();
    if (order.rung == Relief::refuse)
        rule.refuse_for = is_begin ? order.refuse_for : std::chrono::milliseconds(0);
}

} // namespace

Result<void> TupleReliefs::begin(const ReliefOrder& order) {
    const auto space = act::SpaceRelief::open(order.netns, list_);
    if (!space)
        return fail(space.error());
    Tuple& tuple = tuples_[order.tuple];
    tuple.key = {.netns_cookie = space->cookie(), .remote = order.tuple.remote};
    tuple.capacity = order.capacity;
    tuple.where = {order.netns, ""};
    // how many are to be reaped is known by the pass, which goes on with it
    auto done = order.rung == Relief::reap ? Result<void>() : put(order, tuple);
    if (!done)
        return done;
    InForce begun;
    if (can_be_objected_to(order.rung))
        if (const auto syns = act::syn_counts(tuple.where, tuple.key.netns_cookie))
            begun.syns = *syns;
    tuple.rungs.at(order.rung) = begun;
    return done;
}

Result<void> TupleReliefs::put(const ReliefOrder& order, Tuple& tuple) {
    if (!connect_) {
        auto attached = kernel::ConnectRelief::attach(instance_.programs().cgroup(),
                                                      instance_.programs().bpffs_dir());
        if (!attached)
            return fail(attached.error());
        connect_ = std::move(*attached);
    }
    tuple.rule.source = order.tuple.source;
    change(tuple.rule, order, true);
    auto done = connect_->put(tuple.key, tuple.rule);
    if (!done)
        change(tuple.rule, order, false);
    return done;
}

bool TupleReliefs::has(const ReliefOrder& order) const {
    const auto tuple = tuples_.find(order.tuple);
    return tuple != tuples_.end() && tuple->second.rungs.at(order.rung);
}

void TupleReliefs::end(const ReliefOrder& order) {
    if (!has(order))
        return;
    Tuple& tuple = tuples_.at(order.tuple);
    if (order.rung != Relief::reap) { // what is gone is gone
        change(tuple.rule, order, false);
        if (tuple.rule.empty())
            connect_->remove(tuple.key);
        else
            (void)connect_->put(tuple.key, tuple.rule); // it is there, so there is room
    }
    drop(order);
}

void TupleReliefs::drop(const ReliefOrder& order) {
    const auto tuple = tuples_.find(order.tuple);
    if (tuple != tuples_.end()) {
        tuple->second.rungs.at(order.rung).reset();
        if (tuple->second.rungs.empty())
            tuples_.erase(tuple);
    }
    if (std::ranges::all_of(tuples_, [](const auto& entry) { return entry.second.rule.empty(); }))
        connect_.reset();
}

std::vector<ReliefOrder> TupleReliefs::follow(const std::vector<PortRow>& rows, PortLadder& ladder,
                                              const std::function<bool()>& may_act) {
    std::vector<ReliefOrder> failed;
    for (auto& [key, tuple] : tuples_) {
        const auto found = std::ranges::find(rows, key, &PortRow::key);
        const PortRow* row = found == rows.end() ? nullptr : &*found;
        if (!tuple.rule.empty()) {
            follow_rule(key, tuple, row, ladder);
            add_objections(key, tuple, failed);
        }
        if (!tuple.rungs.at(Relief::reap) || !row)
            continue;
        if (const auto done = reap_some(key, tuple, *row, may_act); !done) {
            log::warn("relief reap in network namespace {}: {}", key.netns, done.error().text());
            failed.push_back({.kind = ReliefOrder::Kind::end,
                              .rung = Relief::reap,
                              .netns = key.netns,
                              .mode = Mode::enforce,
                              .tuple = key,
                              .evidence = "rung=reap why=" + why_of(done.error())});
        }
    }
    return failed;
}

void TupleReliefs::add_objections(const TupleKey& key, const Tuple& tuple,
                                  std::vector<ReliefOrder>& ends) {
    for (const Relief rung : {Relief::own_range, Relief::spread}) {
        const auto& in_force = tuple.rungs.at(rung);
        if (!in_force || !in_force->syns)
            continue;
        const auto syns = act::syn_counts(tuple.where, tuple.key.netns_cookie);
        if (!syns)
            continue;
        if (auto order = objection_to(rung, key, *in_force->syns, *syns))
            ends.push_back(std::move(*order));
    }
}

/// So that a twentieth of the ports is free, or what is opened within two passes.
Result<void> TupleReliefs::reap_some(const TupleKey& key, Tuple& tuple, const PortRow& row,
                                     const std::function<bool()>& may_act) {
    const std::uint32_t free = tuple.capacity > row.used ? tuple.capacity - row.used : 0;
    const std::uint32_t wanted = std::max(2 * row.opens_per_s, tuple.capacity / 20);
    if (free >= wanted || !may_act())
        return {};
    const auto reaped =
        act::reap_time_wait(tuple.where, tuple.key.netns_cookie, key, wanted - free);
    if (!reaped)
        return fail(reaped.error());
    tuple.reaped += *reaped;
    return {};
}

/// Ports of the own range are not seen by passes; and the next TIME_WAIT ends at another time.
void TupleReliefs::follow_rule(const TupleKey& key, Tuple& tuple, const PortRow* row,
                               PortLadder& ladder) {
    const auto counts = connect_->counts(tuple.key);
    if (!counts)
        return;
    const std::chrono::duration<double> since = now() - std::exchange(tuple.counted, now());
    const auto given = static_cast<double>(counts->given - tuple.counts.given);
    // Little's law, at TIME_WAIT's 60 s (port_forecast.h, M3)
    const double settles_at = given / since.count() * PortTrend::lingers.count();
    tuple.counts = *counts;
    if (settles_at * 100 >= tuple.capacity * PortLadder::calm_percent)
        ladder.in_use({.rung = Relief::own_range, .netns = key.netns, .tuple = key}, now());
    if (tuple.rule.refuse_for.count() == 0 || !row || !row->next_end)
        return;
    tuple.rule.refuse_for =
        std::clamp(*row->next_end, PortLadder::shortest_refusal, PortLadder::longest_refusal);
    (void)connect_->put(tuple.key, tuple.rule); // it is there, so there is room
}

void TupleReliefs::add_uses(ReliefRow& row, const Tuple& tuple) const {
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

void TupleReliefs::add_rows(std::vector<ReliefRow>& rows) const {
    for (const auto& [key, tuple] : tuples_)
        tuple.rungs.each_row(key.netns, [&](ReliefRow row) {
            row.source = key.source;
            row.remote = key.remote;
            add_uses(row, tuple);
            rows.push_back(row);
        });
}

} // namespace ballast::guards
