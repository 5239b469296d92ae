// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_ladder.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::guards {

namespace {

constexpr std::array kRungs{Relief::flip, Relief::tw_reuse, Relief::widen};

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

bool is_wall_near(const PortRow& row) {
    return std::uint64_t{row.used} * 100 >=
               std::uint64_t{row.capacity} * PortLadder::needy_percent ||
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

ReliefOrder end_of(Relief rung, std::uint32_t netns, const TupleKey& tuple, std::string why) {
    return {.kind = ReliefOrder::Kind::end,
            .rung = rung,
            .netns = netns,
            .mode = Mode::enforce,
            .tuple = tuple,
            .evidence = fmt::format("rung={} source={} netns={} why={}", name_of(rung),
                                    tuple.source.text(), netns, why)};
}

} // namespace

bool PortLadder::Space::is_idle() const {
    return std::ranges::none_of(rungs, [](const auto& rung) { return rung.has_value(); }) &&
           std::ranges::none_of(not_before, [](const auto& from) { return from.has_value(); });
}

std::optional<std::pair<std::uint16_t, std::uint16_t>>
PortLadder::wider(const PortSpace& space) const {
    std::uint32_t low = std::max<std::uint32_t>(lowest_port, space.bound_below + 1U);
    std::uint32_t high = space.bound_above != 0 ? space.bound_above - 1U : 65'535U;
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
    return std::pair(static_cast<std::uint16_t>(low), static_cast<std::uint16_t>(high));
}

bool PortLadder::needs(Relief rung, const Needy& needy) const {
    switch (rung) {
    case Relief::flip:
        return is_past_knee(needy.tuple, needy.space);
    case Relief::tw_reuse:
        return is_wall_near(needy.row) && needy.row.reusable * 4 >= needy.row.used;
    case Relief::widen:
        return is_wall_near(needy.row) && wider(needy.space);
    }
    return false;
}

/// R1, R3.
bool PortLadder::is_next(Relief rung, Space& space, const Needy& needy, Monotonic now) const {
    if (!space.may_begin(rung, now))
        return false;
    if (rung == Relief::flip)
        return true;
    for (const Relief milder : {Relief::tw_reuse, Relief::widen}) {
        if (milder == rung)
            return true;
        if (!needy.rule.relief.has(milder) || !space.may_begin(milder, now))
            continue;
        const auto& before = space.at(milder);
        if (before ? now - before->began < patience : needs(milder, needy))
            return false;
    }
    return true;
}

std::vector<ReliefOrder> PortLadder::read(const PortCount& count, const std::vector<PortRow>& rows,
                                          const RuleOf& rule_of, Monotonic now) {
    std::vector<ReliefOrder> orders = end_unnamed(rule_of);
    std::map<TupleKey, const TupleCount*> counted;
    for (const auto& row : rows) {
        if (std::uint64_t{row.used} * 100 < std::uint64_t{row.capacity} * calm_percent / 2)
            continue;
        if (counted.empty())
            for (const auto& tuple : count.tuples)
                counted.emplace(tuple.key, &tuple);
        const auto tuple = counted.find(row.key);
        const auto space = count.spaces.find(row.key.netns);
        if (tuple != counted.end() && space != count.spaces.end())
            look_at({*tuple->second, row, space->second, rule_of(row.key.remote)}, now, orders);
    }
    end_calm(now, orders);
    return orders;
}

void PortLadder::look_at(const Needy& needy, Monotonic now, std::vector<ReliefOrder>& orders) {
    if (needy.rule.mode == Mode::off || needy.rule.relief.empty())
        return;
    Space& space = spaces_[needy.row.key.netns];
    for (const Relief rung : kRungs) {
        if (!needy.rule.relief.has(rung))
            continue;
        auto& known = space.at(rung);
        if (known && known->mode == Mode::observe && needy.rule.mode == Mode::enforce)
            known.reset(); // it was only reported
        const bool is_new = !known && needs(rung, needy) && is_next(rung, space, needy, now);
        if (is_new)
            known = Rung{.mode = needy.rule.mode,
                         .began = now,
                         .needed = now,
                         .capacity = needy.row.capacity,
                         .tuple = needy.row.key};
        if (!known)
            continue;
        if (std::uint64_t{needy.row.used} * 100 >= std::uint64_t{known->capacity} * calm_percent)
            known->needed = now;
        if (is_new)
            orders.push_back(begin_of(rung, needy));
        if (rung == Relief::flip)
            pace(space, needy, is_new, now, orders);
    }
}

ReliefOrder PortLadder::begin_of(Relief rung, const Needy& needy) const {
    ReliefOrder order{.kind = ReliefOrder::Kind::begin,
                      .rung = rung,
                      .netns = needy.row.key.netns,
                      .mode = needy.rule.mode,
                      .tuple = needy.row.key,
                      .evidence = evidence_of(rung, needy.row)};
    if (rung == Relief::tw_reuse)
        order.evidence += fmt::format(" reusable={}", needy.row.reusable);
    if (const auto range = rung == Relief::widen ? wider(needy.space) : std::nullopt) {
        order.low = range->first;
        order.high = range->second;
        order.evidence += fmt::format(" range={}-{}", order.low, order.high);
    }
    return order;
}

/// By the first of a pass, which is worst off.
void PortLadder::pace(Space& space, const Needy& needy, bool is_new, Monotonic now,
                      std::vector<ReliefOrder>& orders) {
    if (space.pace.at() == now)
        return;
    space.pace.count(free_of(needy.tuple, needy.space), is_even_first(needy.space),
                     needy.row.opens_per_s, ends_per_s(needy.tuple), now);
    const bool is_again = !is_new && is_past_knee(needy.tuple, needy.space);
    if (is_new || is_again)
        space.pace.flipped(now);
    if (is_again && space.at(Relief::flip)->mode == Mode::enforce)
        orders.push_back(flip_of(needy.row.key));
}

void PortLadder::end_calm(Monotonic now, std::vector<ReliefOrder>& orders) {
    for (auto& [netns, space] : spaces_) {
        for (const Relief rung : kRungs) {
            auto& known = space.at(rung);
            if (!known || now - known->needed < quiet)
                continue;
            if (known->mode == Mode::enforce)
                orders.push_back(end_of(rung, netns, known->tuple, "calm"));
            known.reset();
        }
        for (auto& from : space.not_before)
            if (from && now >= *from)
                from.reset();
    }
    std::erase_if(spaces_, [](const auto& entry) { return entry.second.is_idle(); });
}

std::vector<ReliefOrder> PortLadder::wake(Monotonic now) {
    std::vector<ReliefOrder> orders;
    for (auto& [netns, space] : spaces_) {
        const auto& flip = space.at(Relief::flip);
        const auto next = space.pace.next();
        if (!flip || flip->mode != Mode::enforce || !next || now < *next)
            continue;
        if (!space.pace.is_due(now)) {
            space.pace.stayed(now);
            continue;
        }
        space.pace.flipped(now);
        orders.push_back(flip_of(flip->tuple));
    }
    return orders;
}

std::optional<PortLadder::Monotonic> PortLadder::next_wake() const {
    std::optional<Monotonic> first;
    for (const auto& [netns, space] : spaces_) {
        const auto& flip = space.rungs.at(static_cast<std::size_t>(Relief::flip));
        const auto next = space.pace.next();
        if (flip && flip->mode == Mode::enforce && next && (!first || *next < *first))
            first = next;
    }
    return first;
}

void PortLadder::failed(std::uint32_t netns, Relief rung, Monotonic now) {
    Space& space = spaces_[netns];
    space.at(rung).reset();
    space.not_before.at(static_cast<std::size_t>(rung)) = now + retry_after;
}

std::vector<ReliefOrder> PortLadder::end_unnamed(const RuleOf& rule_of) {
    std::vector<ReliefOrder> orders;
    for (auto& [netns, space] : spaces_)
        for (const Relief rung : kRungs) {
            auto& known = space.at(rung);
            if (!known)
                continue;
            const auto rule = rule_of(known->tuple.remote);
            if (rule.relief.has(rung) && rule.mode >= known->mode)
                continue;
            if (known->mode == Mode::enforce)
                orders.push_back(end_of(rung, netns, known->tuple, "policy"));
            known.reset();
        }
    return orders;
}

std::vector<ReliefOrder> PortLadder::end_all() {
    return end_unnamed([](const Endpoint&) { return PortRule{.mode = Mode::off, .relief = {}}; });
}

} // namespace ballast::guards
