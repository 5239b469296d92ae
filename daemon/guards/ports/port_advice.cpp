// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/ports/port_advice.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace ballast::guards {

namespace {

using findings::Reason;

bool lingers(const PortRow& row) {
    return std::uint64_t{row.time_wait} * 4 >= row.capacity && row.capacity != 0;
}

bool is_closed_at_once(const PortRow& row) {
    return row.opens_per_s >= PortAdvice::churn_from &&
           std::uint64_t{row.time_wait} * 10 >= std::uint64_t{row.used} * 9;
}

bool is_half_closed(const PortRow& row) {
    return row.fin_wait2 >= PortAdvice::half_closed_from && row.fin_wait2 >= row.time_wait;
}

/// Whether any of the findings could be due; most tuples are not remembered.
bool is_noteworthy(const PortRow& row) {
    return lingers(row) || is_half_closed(row) || row.self_connected != 0 ||
           row.close_wait >= PortAdvice::leaked_from;
}

/// Notes that `now` nothing was seen of those that are not in `seen`, and forgets what is over.
template <typename Key, typename What, typename IsSeen>
void age(std::map<Key, What>& known, std::chrono::steady_clock::time_point now, IsSeen is_seen) {
    for (auto at = known.begin(); at != known.end();) {
        if (!is_seen(at->first))
            at->second.note(false, now);
        at = at->second.is_over() ? known.erase(at) : std::next(at);
    }
}

} // namespace

bool PortAdvice::Lasting::note(bool is_so, Monotonic now, std::chrono::seconds after) {
    if (!is_so) {
        since_.reset();
        is_reported_ = is_reported_ && now - last_ < quiet;
        return false;
    }
    last_ = now;
    if (!since_)
        since_ = now;
    if (is_reported_ || now - *since_ < after)
        return false;
    is_reported_ = true;
    return true;
}

bool PortAdvice::Leak::note(std::uint32_t close_wait, Monotonic now) {
    const std::uint32_t last = std::exchange(waiting, close_wait);
    if (close_wait < leaked_from || close_wait < last) {
        since.reset();
        is_reported = is_reported && close_wait >= leaked_from;
        return false;
    }
    if (!since) {
        since = now;
        before = close_wait;
    }
    if (is_reported || now - *since < leaks_for || close_wait == before)
        return false;
    is_reported = true;
    return true;
}

bool PortAdvice::Habits::is_over() const {
    return churn.is_over() && closes_first.is_over() && half_closed.is_over() &&
           self_connected.is_over() && leak.is_over();
}

void PortAdvice::read(const PortCount& count, const std::vector<PortRow>& rows, Monotonic now,
                      PortFindings& findings) {
    judge_tuples(count, rows, now, findings);
    judge_spaces(count, now, findings);
    judge_taken(count, now, findings);
    judge_orphans(count, rows, now, findings);
}

void PortAdvice::judge(const PortRow& row, Habits& habits, Monotonic now, PortFindings& findings) {
    const bool is_churn = lingers(row) && is_closed_at_once(row);
    const bool is_first = lingers(row) && !is_churn && row.opens_per_s != 0;
    if (habits.churn.note(is_churn, now, lasts_for))
        findings.add(Reason::churn, row);
    if (habits.closes_first.note(is_first, now, lasts_for))
        findings.add(Reason::closes_first, row);
    if (habits.half_closed.note(is_half_closed(row), now, lasts_for))
        findings.add(Reason::fin_wait2_build_up, row);
    if (habits.self_connected.note(row.self_connected != 0, now))
        findings.add(Reason::self_connect, row);
    if (habits.leak.note(row.close_wait, now))
        findings.add(Reason::close_wait_leak, row);
}

void PortAdvice::judge_tuples(const PortCount& count, const std::vector<PortRow>& rows,
                              Monotonic now, PortFindings& findings) {
    for (const auto& row : rows) {
        auto known = habits_.find(row.key);
        if (known == habits_.end() && is_noteworthy(row))
            known = habits_.try_emplace(row.key).first;
        if (known == habits_.end())
            continue;
        known->second.pass = count.pass;
        judge(row, known->second, now, findings);
    }
    for (auto at = habits_.begin(); at != habits_.end();) {
        PortRow gone;
        gone.key = at->first;
        if (at->second.pass != count.pass)
            judge(gone, at->second, now, findings);
        at = at->second.is_over() ? habits_.erase(at) : std::next(at);
    }
}

void PortAdvice::judge_spaces(const PortCount& count, Monotonic now, PortFindings& findings) {
    for (const auto& [netns, space] : count.spaces) {
        Finding made;
        made.netns = netns;
        if (space.bound >= bound_from && binders_[netns].note(true, now)) {
            made.reason = Reason::bind_before_connect;
            made.evidence = fmt::format("connections={} poisoned={} of={} netns={}", space.bound,
                                        space.poisoned.all(), space.high - space.low + 1, netns);
            if (const auto path = findings.name_of(space.binder); !path.empty())
                made.evidence += " consumer=" + path;
            findings.add(made);
        }
        const bool is_full = space.most_minis != 0 && std::uint64_t{space.minis} * 100 >=
                                                          std::uint64_t{space.most_minis} * 99;
        if (is_full && overflows_[netns].note(true, now)) {
            made.reason = Reason::tw_bucket_overflow;
            made.evidence =
                fmt::format("time_wait={} of={} netns={}", space.minis, space.most_minis, netns);
            findings.add(made);
        }
    }
    const auto space_of = [&](std::uint32_t netns) {
        const auto found = count.spaces.find(netns);
        return found == count.spaces.end() ? PortSpace{} : found->second;
    };
    age(binders_, now, [&](std::uint32_t netns) { return space_of(netns).bound >= bound_from; });
    age(overflows_, now, [&](std::uint32_t netns) {
        const auto space = space_of(netns);
        return space.most_minis != 0 &&
               std::uint64_t{space.minis} * 100 >= std::uint64_t{space.most_minis} * 99;
    });
}

void PortAdvice::judge_taken(const PortCount& count, Monotonic now, PortFindings& findings) {
    for (const auto& one : count.taken) {
        if (!taken_[{one.netns, one.port}].note(true, now))
            continue;
        Finding made;
        made.reason = Reason::port_taken;
        made.netns = one.netns;
        made.destination = one.holder.remote;
        const auto by = findings.name_of(one.holder_cgroup);
        made.evidence = fmt::format(
            "port={} wanted_by={} pid={} comm={} held_by={} flow={}->{} netns={}", one.port,
            findings.name_of(one.cgroup), one.pid, one_word(one.comm), by.empty() ? "unknown" : by,
            Endpoint{one.holder.source, one.port}.text(), one.holder.remote.text(), one.netns);
        findings.add(std::move(made));
    }
    age(taken_, now, [&](const Port& port) {
        return std::ranges::any_of(count.taken, [&](const TakenPort& one) {
            return Port{one.netns, one.port} == port;
        });
    });
}

/// Names who has most that wait for the peer: the kernel does not count orphans by destination.
void PortAdvice::judge_orphans(const PortCount& count, const std::vector<PortRow>& rows,
                               Monotonic now, PortFindings& findings) {
    const auto& orphans = count.orphans;
    if (!orphans_.note(orphans.most != 0 && orphans.count * 2 >= orphans.most, now))
        return;
    Finding made;
    made.reason = Reason::orphans;
    made.evidence = fmt::format("orphans={} of={}", orphans.count, orphans.most);
    const auto worst = std::ranges::max_element(rows, {}, &PortRow::closing);
    if (worst != rows.end() && worst->closing != 0) {
        made.destination = worst->key.remote;
        made.netns = worst->key.netns;
        made.evidence += fmt::format(" closing={} netns={}", worst->closing, worst->key.netns);
    }
    findings.add(std::move(made));
}

} // namespace ballast::guards
