// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_book.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

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

/// B4.
bool is_worth_following(const TupleCount& tuple, const PortsByParity& capacity) {
    return std::uint64_t{tuple.used.all()} * 64 >= capacity.all() ||
           tuple.close_wait >= PortBook::leaked_from ||
           tuple.fin_wait2 >= PortBook::half_closed_from;
}

std::string seconds_text(const std::optional<milliseconds>& time) {
    return time ? fmt::format("{}", time->count() / 1000) : "none";
}

std::string evidence(const PortRow& row) {
    return fmt::format("source={} used={} capacity={} time_wait={} fin_wait2={} established={} "
                       "close_wait={} opens_per_s={} knee_in_s={} wall_in_s={} confidence={} "
                       "poisoned={} reserved={} netns={}",
                       row.key.source.text(), row.used, row.capacity, row.time_wait, row.fin_wait2,
                       row.established, row.close_wait, row.opens_per_s, seconds_text(row.to_knee),
                       seconds_text(row.to_wall), name_of(row.confidence), row.poisoned,
                       row.reserved, row.key.netns);
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
    std::vector<Finding> findings;
    const Reporting reporting{findings, name, now};
    rows_.clear();
    rows_.reserve(count.tuples.size());
    for (const auto& tuple : count.tuples)
        if (const auto space = count.spaces.find(tuple.key.netns); space != count.spaces.end())
            read_tuple(tuple, space->second, count, reporting);
    for (const auto& [netns, space] : count.spaces)
        judge_binder(space, reporting);
    std::erase_if(bound_at_, [&](const auto& space) { return now - space.second >= quiet; });
    forget_gone(count.pass, reporting);
    std::ranges::sort(rows_, worse);
    return findings;
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
    judge_leak(rows_.back(), known->second, reporting);
    judge_habits(rows_.back(), known->second, reporting);
    if (known->second.reported == PortState::ok && !is_worth)
        known_.erase(known);
}

void PortBook::judge(const PortRow& row, Known& known, const Reporting& reporting) {
    const PortState before = std::exchange(known.last, row.state);
    if (row.state <= PortState::poisoned) {
        if (known.reported != PortState::ok && reporting.now - known.bad_at >= quiet) {
            known.reported = PortState::ok;
            add(reporting, Reason::ports_clear, row);
        }
        return;
    }
    known.bad_at = reporting.now;
    const bool is_passing = row.state == PortState::filling && before < PortState::filling; // B2
    if (row.state <= known.reported || is_passing)
        return;
    known.reported = row.state;
    add(reporting, reason_of(row.state), row);
}

void PortBook::judge_leak(const PortRow& row, Known& known, const Reporting& reporting) {
    const std::uint32_t before = std::exchange(known.close_wait, row.close_wait);
    if (row.close_wait < leaked_from || row.close_wait < before) {
        known.leaks_since.reset();
        known.is_leak_reported = known.is_leak_reported && row.close_wait >= leaked_from;
        return;
    }
    if (!known.leaks_since) {
        known.leaks_since = reporting.now;
        known.leaked_before = row.close_wait;
    }
    if (known.is_leak_reported || reporting.now - *known.leaks_since < leaks_for ||
        row.close_wait == known.leaked_before)
        return;
    known.is_leak_reported = true;
    add(reporting, Reason::close_wait_leak, row);
}

bool PortBook::Lasting::note(bool is_so, Monotonic now) {
    if (!is_so) {
        since.reset();
        is_reported = is_reported && now - last < quiet;
        return false;
    }
    last = now;
    if (!since)
        since = now;
    if (is_reported || now - *since < lasts_for)
        return false;
    is_reported = true;
    return true;
}

/// B5.
void PortBook::judge_habits(const PortRow& row, Known& known, const Reporting& reporting) {
    const bool is_churn = row.opens_per_s >= churn_from &&
                          std::uint64_t{row.time_wait} * 4 >= row.capacity &&
                          std::uint64_t{row.time_wait} * 10 >= std::uint64_t{row.used} * 9;
    if (known.churn.note(is_churn, reporting.now))
        add(reporting, Reason::churn, row);
    const bool is_half_closed = row.fin_wait2 >= half_closed_from && row.fin_wait2 >= row.time_wait;
    if (known.half_closed.note(is_half_closed, reporting.now))
        add(reporting, Reason::fin_wait2_build_up, row);
}

void PortBook::judge_binder(const PortSpace& space, const Reporting& reporting) {
    if (space.bound < bound_from)
        return;
    const bool is_news = !bound_at_.contains(space.netns);
    bound_at_[space.netns] = reporting.now;
    if (!is_news)
        return;
    Finding made;
    made.reason = Reason::bind_before_connect;
    made.netns = space.netns;
    made.evidence = fmt::format("connections={} poisoned={} of={} netns={}", space.bound,
                                space.poisoned.all(), space.high - space.low + 1, space.netns);
    if (const auto path = space.binder != 0 ? reporting.name(space.binder) : ""; !path.empty())
        made.evidence += " consumer=" + path;
    add(reporting, std::move(made));
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
            add(reporting, Reason::ports_clear, row);
        }
        at = is_well ? known_.erase(at) : std::next(at);
    }
}

void PortBook::add(const Reporting& reporting, Reason reason, const PortRow& row) {
    Finding made;
    made.reason = reason;
    made.destination = row.key.remote;
    made.evidence = evidence(row);
    made.netns = row.key.netns;
    if (const auto path = row.consumer != 0 ? reporting.name(row.consumer) : ""; !path.empty())
        made.evidence += " consumer=" + path;
    add(reporting, std::move(made));
}

void PortBook::add(const Reporting& reporting, Finding made) {
    if (reporting.findings.size() >= most_findings) {
        ++coalesced_;
        return;
    }
    reporting.findings.push_back(std::move(made));
}

PortState PortBook::worst() const {
    return rows_.empty() ? PortState::ok : rows_.front().state;
}

bool PortBook::is_any_foretold() const {
    return std::ranges::any_of(
        rows_, [](const PortRow& row) { return is_near(row.to_knee) || is_near(row.to_wall); });
}

} // namespace ballast::guards
