// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/wiring/syn_objection.h"

#include <fmt/format.h>

namespace ballast::guards {

namespace {

std::uint64_t lost_percent(const act::SynCounts& counts) {
    return counts.opens == 0 ? 0 : counts.retransmits * 100 / counts.opens;
}

} // namespace

std::optional<ReliefOrder> objection_to(Relief rung, const TupleKey& tuple,
                                        const act::SynCounts& before, const act::SynCounts& now) {
    const act::SynCounts since{.opens = now.opens - before.opens,
                               .retransmits = now.retransmits - before.retransmits};
    if (since.retransmits < kLeastRetransmits ||
        lost_percent(since) <= lost_percent(before) + kMostSynsLostPercent)
        return std::nullopt;
    return ReliefOrder{.kind = ReliefOrder::Kind::end,
                       .rung = rung,
                       .netns = tuple.netns,
                       .mode = Mode::enforce,
                       .tuple = tuple,
                       .evidence =
                           fmt::format("rung={} netns={} why=syns_lost opens={} retransmits={}",
                                       name_of(rung), tuple.netns, since.opens, since.retransmits)};
}

} // namespace ballast::guards
