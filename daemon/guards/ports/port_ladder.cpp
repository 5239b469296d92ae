// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_ladder.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::guards {

namespace {

/// Those that make more ports, mildest first.
constexpr std::array kMorePorts{Relief::own_range, Relief::spread, Relief::tw_reuse, Relief::widen,
                                Relief::reap};

bool is_even_first(const PortSpace& space) {
    return space.low % 2 == 0;
}

PortsByParity free_of(const TupleCount& tuple, const PortSpace& space) {
    const auto capacity = space.capacity();
    const auto less = [](std::uint32_t all, std::uint32_t used) {
        return all > used ? all - used : 0;
    };
    return {.even = less(capacity.even, tuple.used.even),
            .odd = less(capacity.odd, tuple.used.odd)};
}

/// The parity that is searched first has no more than 3% of its ports left, the other more.
bool is_past_knee(const TupleCount& tuple, const PortSpace& space) {
    const auto free = free_of(tuple, space);
    const auto capacity = space.capacity();
    const bool even = is_even_first(space);
    const std::uint64_t first = even ? free.even : free.odd;
    const std::uint64_t other = even ? free.odd : free.even;
    const std::uint64_t size = even ? capacity.even : capacity.odd;
    return first * 100 <= size * 3 && other > first;
}

bool is_used(std::uint64_t used, std::uint32_t capacity, std::uint32_t percent) {
    return used * 100 >= std::uint64_t{capacity} * percent;
}

bool is_wall_near(const PortRow& row) {
    return is_used(row.used, row.capacity, PortLadder::needy_percent) ||
           (row.confidence != Confidence::low && row.to_wall &&
            *row.to_wall <= PortLadder::wall_near);
}

double ends_per_s(const TupleCount& tuple) {
    return static_cast<double>(tuple.ends.front()) /
           static_cast<double>(TupleCount::ends_step.count());
}

std::string evidence_of(Relief rung, const PortRow& row) {
    return fmt::format("rung={} source={} used={} capacity={} time_wait={} opens_per_s={} netns={}",
                       name_of(rung), row.key.source.text(), row.used, row.capacity, row.time_wait,
                       row.opens_per_s, row.key.netns);
}

ReliefOrder flip_of(const TupleKey& tuple) {
    return {.kind = ReliefOrder::Kind::flip,
            .rung = Relief::flip,
            .netns = tuple.netns,
            .mode = Mode::enforce,
            .tuple = tuple};
}

ReliefOrder end_of(Relief rung, const TupleKey& tuple, std::string_view why) {
    return {.kind = ReliefOrder::Kind::end,
            .rung = rung,
            .netns = tuple.netns,
            .mode = Mode::enforce,
            .tuple = tuple,
            .evidence = fmt::format("rung={} source={} netns={} why={}", name_of(rung),
                                    tuple.source.text(), tuple.netns, why)};
}

} // namespace

PortLadder::StepKey PortLadder::key_of(Relief rung, const TupleKey& tuple) {
    if (is_for_tuple(rung))
        return {tuple, rung};
    return {{.netns = tuple.netns, .source = {}, .remote = {}}, rung};
}

std::optional<PortLadder::Ports> PortLadder::wider(const PortSpace& space) const {
    const auto known = neighbours_.find(space.netns);
    const auto near = known == neighbours_.end() ? Neighbours{} : known->second;
    std::uint32_t low = std::max<std::uint32_t>(lowest_port, near.below + 1U);
    std::uint32_t high = near.above != 0 ? near.above - 1U : 65'535U;
    for (const std::uint16_t port : avoided_) {
        if (port < space.low)
            low = std::max(low, port + 1U);
        if (port > space.high)
            high = std::min(high, port - 1U);
    }
    low = std::min<std::uint32_t>(low, space.low);
    high = std::max<std::uint32_t>(high, space.high);
    const std::uint32_t more = (space.low - low) + (high - space.high);
    if (more * 10 < space.capacity().all())
        return std::nullopt;
    return Ports(static_cast<std::uint16_t>(low), static_cast<std::uint16_t>(high));
}

std::optional<PortLadder::Ports> PortLadder::outside(const PortSpace& space) const {
    const auto range = wider(space);
    if (!range)
        return std::nullopt;
    const auto below = space.low - range->first;
    const auto above = range->second - space.high;
    if (below >= above)
        return Ports(range->first, static_cast<std::uint16_t>(space.low - 1));
    return Ports(static_cast<std::uint16_t>(space.high + 1), range->second);
}

bool PortLadder::needs(Relief rung, const Needy& needy) const {
    const PortRow& row = needy.row;
    switch (rung) {
    case Relief::flip:
        return is_past_knee(needy.tuple, needy.space);
    case Relief::own_range:
        return (is_past_knee(needy.tuple, needy.space) || is_wall_near(row)) &&
               outside(needy.space);
    case Relief::spread:
        return is_used(row.used, row.capacity, calm_percent) &&
               std::ranges::any_of(needy.rule.source_pool, [&](const Address& source) {
                   return source != row.key.source && source.is_v4() == row.key.source.is_v4();
               });
    case Relief::tw_reuse:
        return is_wall_near(row) && row.reusable * 4 >= row.used;
    case Relief::widen:
        return is_wall_near(row) && wider(needy.space);
    case Relief::reap: // where nearly all of them have timestamps
        return is_wall_near(row) && row.reusable * 4 >= row.used &&
               is_used(row.reusable, row.time_wait, needy_percent);
    case Relief::refuse:
        return is_used(row.used, row.capacity, refusing_percent);
    }
    return false;
}

/// R1, R3.
bool PortLadder::is_next(Relief rung, const Needy& needy, Monotonic now) const {
    const auto step_of = [&](Relief one) {
        const auto found = steps_.find(key_of(one, needy.row.key));
        return found == steps_.end() ? Step{} : found->second;
    };
    const auto is_barred = [&](const Step& step) {
        return step.not_before && now < *step.not_before;
    };
    if (is_barred(step_of(rung)))
        return false;
    if (rung == Relief::flip || rung == Relief::refuse)
        return true;
    const auto goes_first = [&](Relief milder) {
        const Step before = step_of(milder);
        if (!needy.rule.relief.has(milder) || is_barred(before))
            return false;
        return before.rung ? now - before.rung->began < patience : needs(milder, needy);
    };
    const auto milder_ones =
        std::ranges::subrange(kMorePorts.begin(), std::ranges::find(kMorePorts, rung));
    return std::ranges::none_of(milder_ones, goes_first);
}

std::vector<ReliefOrder> PortLadder::read(const PortCount& count, const std::vector<PortRow>& rows,
                                          const RuleOf& rule_of, Monotonic now) {
    std::vector<ReliefOrder> orders = end_unnamed(rule_of);
    note_neighbours(count, now);
    std::map<TupleKey, const TupleCount*> counted;
    std::map<std::pair<std::uint32_t, Endpoint>, std::uint32_t> by_all;
    for (const auto& row : rows)
        by_all[{row.key.netns, row.key.remote}] += row.used;
    for (const auto& row : rows) {
        if (!is_used(row.used, row.capacity, calm_percent / 2))
            continue;
        if (counted.empty())
            for (const auto& tuple : count.tuples)
                counted.emplace(tuple.key, &tuple);
        const auto tuple = counted.find(row.key);
        const auto space = count.spaces.find(row.key.netns);
        if (tuple != counted.end() && space != count.spaces.end())
            look_at({*tuple->second, row, space->second, rule_of(row.key.remote),
                     by_all[{row.key.netns, row.key.remote}]},
                    now, orders);
    }
    end_calm(now, orders);
    return orders;
}

/// R5.
void PortLadder::note_neighbours(const PortCount& count, Monotonic now) {
    std::erase_if(neighbours_,
                  [&](const auto& entry) { return !count.spaces.contains(entry.first); });
    for (const auto& [netns, space] : count.spaces) {
        Neighbours& near = neighbours_[netns];
        if (space.bound_below >= near.below || now - near.below_at >= remembers) {
            near.below = space.bound_below;
            near.below_at = now;
        }
        const bool is_nearer =
            space.bound_above != 0 && (near.above == 0 || space.bound_above <= near.above);
        if (is_nearer || now - near.above_at >= remembers) {
            near.above = space.bound_above;
            near.above_at = now;
        }
    }
}

void PortLadder::look_at(const Needy& needy, Monotonic now, std::vector<ReliefOrder>& orders) {
    if (needy.rule.mode == Mode::off)
        return;
    for (const Relief rung : kAllReliefs)
        if (needy.rule.relief.has(rung))
            look_at(rung, needy, now, orders);
}

void PortLadder::look_at(Relief rung, const Needy& needy, Monotonic now,
                         std::vector<ReliefOrder>& orders) {
    const auto known = steps_.find(key_of(rung, needy.row.key));
    const bool was_reported = known != steps_.end() && known->second.rung &&
                              known->second.rung->mode == Mode::observe &&
                              needy.rule.mode == Mode::enforce;
    if (was_reported)
        known->second.rung.reset();
    const bool is_there = known != steps_.end() && known->second.rung;
    if (!is_there && !(needs(rung, needy) && is_next(rung, needy, now)))
        return;
    auto& step = steps_[key_of(rung, needy.row.key)];
    if (!is_there)
        step.rung = Rung{.mode = needy.rule.mode,
                         .began = now,
                         .needed = now,
                         .capacity = needy.row.capacity,
                         .tuple = needy.row.key};
    const std::uint32_t used = rung == Relief::spread ? needy.used_by_all : needy.row.used;
    if (is_used(used, step.rung->capacity, calm_percent))
        step.rung->needed = now;
    if (!is_there)
        orders.push_back(begin_of(rung, needy));
    if (rung == Relief::flip)
        pace(needy, *step.rung, now, orders);
}

ReliefOrder PortLadder::begin_of(Relief rung, const Needy& needy) const {
    ReliefOrder order{.kind = ReliefOrder::Kind::begin,
                      .rung = rung,
                      .netns = needy.row.key.netns,
                      .mode = needy.rule.mode,
                      .tuple = needy.row.key,
                      .capacity = needy.row.capacity,
                      .evidence = evidence_of(rung, needy.row)};
    if (rung == Relief::tw_reuse) {
        order.evidence += fmt::format(" reusable={}", needy.row.reusable);
        if (std::uint64_t{needy.row.opens_per_s} * 2 >= needy.row.capacity)
            order.reuse_after = soonest_reuse;
    }
    if (rung == Relief::spread) {
        for (const Address& source : needy.rule.source_pool)
            if (source != needy.row.key.source && source.is_v4() == needy.row.key.source.is_v4())
                order.sources.push_back(source);
        order.evidence += fmt::format(" sources={}", order.sources.size() + 1);
    }
    if (rung == Relief::refuse)
        order.refuse_for = std::clamp(needy.row.next_end.value_or(longest_refusal),
                                      shortest_refusal, longest_refusal);
    const auto range = rung == Relief::widen       ? wider(needy.space)
                       : rung == Relief::own_range ? outside(needy.space)
                                                   : std::nullopt;
    if (range) {
        order.low = range->first;
        order.high = range->second;
        order.evidence += fmt::format(" range={}-{}", order.low, order.high);
    }
    return order;
}

/// By the first of a pass, which is worst off.
void PortLadder::pace(const Needy& needy, const Rung& flip, Monotonic now,
                      std::vector<ReliefOrder>& orders) {
    FlipPace& pace = paces_[needy.row.key.netns];
    if (pace.at() == now)
        return;
    pace.count(free_of(needy.tuple, needy.space), is_even_first(needy.space), needy.row.opens_per_s,
               ends_per_s(needy.tuple), now);
    const bool is_new = flip.began == now;
    const bool is_again = !is_new && is_past_knee(needy.tuple, needy.space);
    if (is_new || is_again)
        pace.flipped(now);
    if (is_again && flip.mode == Mode::enforce)
        orders.push_back(flip_of(needy.row.key));
}

void PortLadder::end_calm(Monotonic now, std::vector<ReliefOrder>& orders) {
    for (auto& [key, step] : steps_) {
        if (step.not_before && now >= *step.not_before)
            step.not_before.reset();
        if (!step.rung || now - step.rung->needed < quiet)
            continue;
        if (step.rung->mode == Mode::enforce)
            orders.push_back(end_of(key.rung, step.rung->tuple, "calm"));
        step.rung.reset();
    }
    std::erase_if(steps_,
                  [](const auto& entry) { return !entry.second.rung && !entry.second.not_before; });
    std::erase_if(paces_, [this](const auto& entry) { return !flip_in(entry.first); });
}

const PortLadder::Rung* PortLadder::flip_in(std::uint32_t netns) const {
    const auto found =
        steps_.find(key_of(Relief::flip, {.netns = netns, .source = {}, .remote = {}}));
    return found == steps_.end() || !found->second.rung ? nullptr : &*found->second.rung;
}

std::vector<ReliefOrder> PortLadder::wake(Monotonic now) {
    std::vector<ReliefOrder> orders;
    for (auto& [netns, pace] : paces_) {
        const Rung* flip = flip_in(netns);
        const auto next = pace.next();
        if (!flip || flip->mode != Mode::enforce || !next || now < *next)
            continue;
        if (!pace.is_due(now)) {
            pace.stayed(now);
            continue;
        }
        pace.flipped(now);
        orders.push_back(flip_of(flip->tuple));
    }
    return orders;
}

std::optional<PortLadder::Monotonic> PortLadder::next_wake() const {
    std::optional<Monotonic> first;
    for (const auto& [netns, pace] : paces_) {
        const Rung* flip = flip_in(netns);
        const auto next = pace.next();
        if (flip && flip->mode == Mode::enforce && next && (!first || *next < *first))
            first = next;
    }
    return first;
}

void PortLadder::failed(const ReliefOrder& order, Monotonic now) {
    steps_[key_of(order.rung, order.tuple)] = {.rung = {}, .not_before = now + retry_after};
}

void PortLadder::in_use(const ReliefOrder& order, Monotonic now) {
    const auto step = steps_.find(key_of(order.rung, order.tuple));
    if (step != steps_.end() && step->second.rung)
        step->second.rung->needed = now;
}

std::vector<ReliefOrder> PortLadder::end_unnamed(const RuleOf& rule_of) {
    std::vector<ReliefOrder> orders;
    for (auto& [key, step] : steps_) {
        if (!step.rung)
            continue;
        const auto rule = rule_of(step.rung->tuple.remote);
        if (rule.relief.has(key.rung) && rule.mode >= step.rung->mode)
            continue;
        if (step.rung->mode == Mode::enforce)
            orders.push_back(end_of(key.rung, step.rung->tuple, "policy"));
        step.rung.reset();
    }
    return orders;
}

std::vector<ReliefOrder> PortLadder::end_all() {
    return end_unnamed([](const Endpoint&) {
        return PortRule{.mode = Mode::off, .relief = {}, .source_pool = {}};
    });
}

} // namespace ballast::guards
