// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/wiring/space_reliefs.h"

#include <utility>

namespace ballast::guards {

namespace {

/// Of the connects since tw_reuse began, so many SYNs may be sent again, in percent more than
/// before: a middlebox that objects to reused tuples drops every one.
constexpr std::uint64_t most_syns_lost_percent = 2;
/// Fewer show nothing.
constexpr std::uint64_t least_retransmits = 3;

std::uint64_t lost_percent(const act::SynCounts& counts) {
    return counts.opens == 0 ? 0 : counts.retransmits * 100 / counts.opens;
}

Result<void> take_back(act::SpaceRelief& relief, Relief rung) {
    if (rung == Relief::flip)
        return relief.stop_flipping();
    if (rung == Relief::tw_reuse)
        return relief.stop_reusing();
    return relief.stop_widening();
}

} // namespace

Result<void> SpaceReliefs::begin(const ReliefOrder& order) {
    auto space = spaces_.find(order.netns);
    if (space == spaces_.end()) {
        auto relief = act::SpaceRelief::open(order.netns, list_);
        if (!relief)
            return fail(relief.error());
        space = spaces_.emplace(order.netns, Space{std::move(*relief), {}}).first;
    }
    InForce begun;
    act::SpaceRelief& relief = space->second.relief;
    Result<void> done;
    if (order.rung == Relief::flip)
        done = relief.flip();
    if (order.rung == Relief::widen)
        done = relief.widen({order.low, order.high});
    if (order.rung == Relief::tw_reuse) {
        if (const auto syns = relief.syn_counts())
            begun.syns = *syns;
        done = relief.reuse(order.reuse_after);
    }
    if (done)
        space->second.rungs.at(order.rung) = begun;
    return done;
}

bool SpaceReliefs::has(const ReliefOrder& order) const {
    const auto space = spaces_.find(order.netns);
    return space != spaces_.end() && space->second.rungs.at(order.rung);
}

Result<void> SpaceReliefs::flip(const ReliefOrder& order) {
    if (!has(order))
        return {};
    Space& space = spaces_.at(order.netns);
    auto done = space.relief.flip();
    if (done) {
        ++space.rungs.at(order.rung)->flips;
        ++flips_;
    }
    return done;
}

Result<void> SpaceReliefs::end(const ReliefOrder& order) {
    if (!has(order))
        return {};
    auto done = take_back(spaces_.at(order.netns).relief, order.rung);
    drop(order);
    return done;
}

void SpaceReliefs::drop(const ReliefOrder& order) {
    const auto space = spaces_.find(order.netns);
    if (space == spaces_.end())
        return;
    space->second.rungs.at(order.rung).reset();
    if (space->second.rungs.empty())
        spaces_.erase(space);
}

std::vector<ReliefOrder> SpaceReliefs::objected_to() {
    std::vector<ReliefOrder> orders;
    for (auto& [netns, space] : spaces_) {
        const auto& rung = space.rungs.at(Relief::tw_reuse);
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
        orders.push_back(std::move(order));
    }
    return orders;
}

void SpaceReliefs::add_rows(std::vector<ReliefRow>& rows) const {
    for (const auto& [netns, space] : spaces_)
        space.rungs.each_row(netns, [&](const ReliefRow& row) { rows.push_back(row); });
}

} // namespace ballast::guards
