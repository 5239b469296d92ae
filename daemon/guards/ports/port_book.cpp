// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_book.h"

#include <algorithm>
#include <cmath>

namespace ballast::guards {

namespace {

using findings::Reason;
using std::chrono::milliseconds;

/// Of the parity that is searched first, this part in use makes connect() try hundreds of ports.
bool is_past_knee(const TupleCount& tuple, const PortsByParity& capacity, bool is_even_first) {
    const std::uint64_t used = is_even_first ? tuple.used.even : tuple.used.odd;
    const std::uint64_t first = is_even_first ? capacity.even : capacity.odd;
    return used * 100 >= first * 97;
}

bool is_near(const std::optional<milliseconds>& time) {
    return time && *time > milliseconds(0) && *time <= PortBook::warns_before;
}

PortState state_of(const PortRow& row, const TupleCount& tuple, const PortSpace& space) {
    const auto capacity = space.capacity();
    if (row.used >= row.capacity)
        return PortState::exhausted;
    if (is_past_knee(tuple, capacity, space.low % 2 == 0))
        return PortState::knee;
    if (row.confidence != Confidence::low && (is_near(row.to_knee) || is_near(row.to_wall)))
        return PortState::filling;
    const std::uint32_t range = space.high - space.low + 1U;
    return std::uint64_t{row.poisoned} * 10 >= range ? PortState::poisoned : PortState::ok;
}

/// B3.
bool is_worth_following(const TupleCount& tuple, const PortsByParity& capacity) {
    return std::uint64_t{tuple.used.all()} * 64 >= capacity.all();
}

Reason reason_of(PortState state) {
    switch (state) {
    case PortState::exhausted:
        return Reason::ports_exhausted;
    case PortState::knee:
        return Reason::ports_slow;
    default:
        return Reason::ports_filling;
    }
}

bool worse(const PortRow& a, const PortRow& b) {
    const auto share = [](const PortRow& row) {
        return row.capacity == 0 ? 0.0 : static_cast<double>(row.used) / row.capacity;
    };
    if (a.state != b.state)
        return a.state > b.state;
    if (share(a) != share(b))
        return share(a) > share(b);
    return a.key < b.key;
}

} // namespace

PortRow PortBook::row_of(const TupleCount& tuple, const PortSpace& space, PortTrend* trend,
                         const PortCount& count) {
    const auto capacity = space.capacity();
    PortRow row;
    row.key = tuple.key;
    row.used = tuple.used.all();
    row.capacity = capacity.all();
    row.time_wait = tuple.time_wait;
    row.reusable = tuple.reusable;
    row.fin_wait2 = tuple.fin_wait2;
    row.connecting = tuple.connecting;
    row.established = tuple.established;
    row.close_wait = tuple.close_wait;
    row.closing = tuple.closing;
    row.self_connected = tuple.self_connected;
    row.poisoned = space.poisoned.all();
    row.reserved = space.reserved.all();
    row.next_end = tuple.next_end;
    row.consumer = tuple.consumer;
    row.low = space.low;
    row.high = space.high;
    if (trend) {
        trend->add(tuple, count.began, count.since);
        const auto forecast = trend->forecast(capacity, space.low % 2 == 0);
        row.opens_per_s = static_cast<std::uint32_t>(std::lround(forecast.opens_per_s));
        row.to_knee = forecast.to_knee;
        row.to_wall = forecast.to_wall;
        row.confidence = forecast.confidence;
    }
    row.state = state_of(row, tuple, space);
    return row;
}

std::vector<Finding> PortBook::read(const PortCount& count, Monotonic now,
                                    const ConsumerName& name) {
    PortFindings findings(name);
    const Reporting reporting{findings, now};
    rows_.clear();
    rows_.reserve(count.tuples.size());
    least_capacity_ = 0;
    for (const auto& [netns, space] : count.spaces)
        if (const auto ports = space.capacity().all(); ports != 0)
            least_capacity_ = least_capacity_ == 0 ? ports : std::min(ports, least_capacity_);
    for (const auto& tuple : count.tuples)
        if (const auto space = count.spaces.find(tuple.key.netns); space != count.spaces.end())
            read_tuple(tuple, space->second, count, reporting);
    forget_gone(count.pass, reporting);
    std::ranges::sort(rows_, worse);
    advice_.read(count, rows_, now, findings);
    coalesced_ += findings.left_out();
    return findings.take();
}

void PortBook::read_tuple(const TupleCount& tuple, const PortSpace& space, const PortCount& count,
                          const Reporting& reporting) {
    const bool is_worth = is_worth_following(tuple, space.capacity());
    auto known = known_.find(tuple.key);
    if (known == known_.end() && is_worth)
        known = known_.try_emplace(tuple.key).first;
    if (known == known_.end()) {
        rows_.push_back(row_of(tuple, space, nullptr, count));
        return;
    }
    rows_.push_back(row_of(tuple, space, &known->second.trend, count));
    known->second.pass = count.pass;
    judge(rows_.back(), known->second, reporting);
    if (known->second.reported == PortState::ok && !is_worth)
        known_.erase(known);
}

void PortBook::judge(const PortRow& row, Known& known, const Reporting& reporting) {
    const PortState before = std::exchange(known.last, row.state);
    if (row.state <= PortState::poisoned) {
        if (known.reported != PortState::ok && reporting.now - known.bad_at >= quiet) {
            known.reported = PortState::ok;
            reporting.findings.add(Reason::ports_clear, row);
        }
        return;
    }
    known.bad_at = reporting.now;
    const bool is_passing = row.state == PortState::filling && before < PortState::filling; // B2
    if (row.state <= known.reported || is_passing)
        return;
    known.reported = row.state;
    reporting.findings.add(reason_of(row.state), row);
}

/// Whose last socket has gone.
void PortBook::forget_gone(std::uint32_t pass, const Reporting& reporting) {
    for (auto at = known_.begin(); at != known_.end();) {
        Known& known = at->second;
        if (known.pass == pass) {
            ++at;
            continue;
        }
        const bool is_well =
            known.reported == PortState::ok || reporting.now - known.bad_at >= quiet;
        if (is_well && known.reported != PortState::ok) {
            PortRow row;
            row.key = at->first;
            reporting.findings.add(Reason::ports_clear, row);
        }
        at = is_well ? known_.erase(at) : std::next(at);
    }
}

PortState PortBook::worst() const {
    return rows_.empty() ? PortState::ok : rows_.front().state;
}

std::uint32_t PortBook::allowance() const {
    constexpr std::uint32_t few = 16;
    const auto half_way = [](const PortRow& row) {
        const std::uint32_t knee = row.capacity / 2;
        const std::uint32_t left = row.used < knee ? knee - row.used : row.capacity - row.used;
        return std::max({left / 2, row.capacity / 64, few});
    };
    std::uint32_t least = std::max(least_capacity_ / 4, few); // of a tuple that is not there yet
    for (const auto& row : rows_)
        if (row.used < row.capacity)
            least = std::min(least, half_way(row));
    return least;
}

bool PortBook::is_any_foretold() const {
    return std::ranges::any_of(
        rows_, [](const PortRow& row) { return is_near(row.to_knee) || is_near(row.to_wall); });
}

} // namespace ballast::guards
