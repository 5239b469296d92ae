// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/wiring/space_reliefs.h"

#include <utility>

#include "daemon/guards/ports/wiring/syn_objection.h"

namespace ballast::guards {

namespace {

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
    if (can_be_objected_to(order.rung))
        if (const auto syns = relief.syn_counts())
            begun.syns = *syns;
    Result<void> done;
    if (order.rung == Relief::flip)
        done = relief.flip();
    if (order.rung == Relief::widen)
        done = relief.widen({order.low, order.high});
    if (order.rung == Relief::tw_reuse)
        done = relief.reuse(order.reuse_after);
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
    for (auto& [netns, space] : spaces_)
        for (const Relief rung : {Relief::tw_reuse, Relief::widen}) {
            const auto& in_force = space.rungs.at(rung);
            if (!in_force || !in_force->syns)
                continue;
            const auto syns = space.relief.syn_counts();
            if (!syns)
                continue;
            const TupleKey whole{.netns = netns, .source = {}, .remote = {}};
            if (auto order = objection_to(rung, whole, *in_force->syns, *syns))
                orders.push_back(std::move(*order));
        }
    return orders;
}

void SpaceReliefs::add_rows(std::vector<ReliefRow>& rows) const {
    for (const auto& [netns, space] : spaces_)
        space.rungs.each_row(netns, [&](const ReliefRow& row) { rows.push_back(row); });
}

} // namespace ballast::guards
