// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/listeners/listener_book.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "daemon/util/quote.h"

namespace ballast::guards {

namespace {

using findings::Reason;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

bool is_full(std::uint32_t depth, std::uint32_t limit) {
    return depth > limit;
}

std::string ms_text(const std::optional<milliseconds>& time) {
    return time ? fmt::format("{}", time->count()) : "none";
}

std::string evidence_of(const ListenerRow& row) {
    return fmt::format(
        "listener={} queue={} of={} high_water={} oldest_ms={} stalled_ms={} syn_queue={} "
        "overflows={} drops={} somaxconn={} group={} netns={}",
        row.local.text(), row.depth, row.limit, row.high_water, ms_text(row.oldest),
        ms_text(row.stalled), row.requests, row.overflows, row.drops, row.somaxconn, row.group_size,
        row.netns);
}

Reason reason_of(ListenerState state) {
    switch (state) {
    case ListenerState::not_accepting:
        return Reason::listener_not_accepting;
    case ListenerState::one_stuck:
        return Reason::listener_one_stuck;
    case ListenerState::overflow:
        return Reason::listener_overflow;
    default:
        return Reason::listener_flood;
    }
}

bool is_worse(const ListenerRow& a, const ListenerRow& b) {
    const auto share = [](const ListenerRow& row) {
        return static_cast<double>(row.depth) / (static_cast<double>(row.limit) + 1);
    };
    if (a.state != b.state)
        return a.state > b.state;
    if (share(a) != share(b))
        return share(a) > share(b);
    return std::tie(a.netns, a.local, a.inode) < std::tie(b.netns, b.local, b.inode);
}

} // namespace

std::vector<ListenerBook::Made> ListenerBook::read(const ListenCount& count, Monotonic now,
                                                   const ConsumerName& name) {
    std::map<What, Alike> alike;
    const Reporting reporting{alike, now};
    using Group = std::pair<std::uint32_t, std::uint64_t>;
    std::set<Group> alive; // groups of which somebody accepts, or has nothing to
    std::map<Key, Group> groups;
    for (const auto& one : count.listeners) {
        const Key key{one.netns, one.inode != 0 ? one.inode : one.socket};
        auto [known, is_new] = known_.try_emplace(key);
        if (is_new)
            known->second.counted = is_first_ ? one.drops : 0;
        known->second.pass = count.pass;
        note(one, known->second, now);
        const Group group{one.netns, one.group};
        groups[key] = group;
        if (one.group != 0 && known->second.row.stalled.value_or(milliseconds(0)) < stall)
            alive.insert(group);
    }
    is_first_ = false;
    rows_.clear();
    for (auto& [key, known] : known_) {
        if (known.pass != count.pass)
            continue;
        known.row.state = state_of(known, alive.contains(groups.at(key)), now);
        judge(known, reporting);
        rows_.push_back(known.row);
    }
    std::ranges::sort(rows_, is_worse);
    forget_gone(count, reporting);
    return findings_of(alike, name);
}

void ListenerBook::note(const ListenerCount& one, Known& known, Monotonic now) {
    ListenerRow& row = known.row;
    const bool was_full = is_full(row.depth, row.limit);
    row.netns = one.netns;
    row.local = one.local;
    row.is_dual = one.is_dual;
    row.inode = one.inode;
    row.depth = one.depth;
    row.limit = one.limit;
    row.high_water = std::max(row.high_water, one.depth);
    row.requests = one.requests;
    row.somaxconn = one.somaxconn;
    row.group_size = one.group_size;
    row.consumer = one.consumer;
    const Head head{one.head, one.head_at};
    if (head != known.head || one.head == 0)
        known.head_since = now;
    known.head = head;
    row.oldest.reset();
    row.stalled.reset();
    if (one.head != 0) {
        row.stalled = duration_cast<milliseconds>(now - known.head_since);
        const auto since_boot = duration_cast<std::chrono::microseconds>(now.time_since_epoch());
        if (one.head_at && *one.head_at <= since_boot)
            row.oldest = duration_cast<milliseconds>(since_boot - *one.head_at);
    }
    const std::uint32_t dropped = one.drops - std::exchange(known.counted, one.drops);
    if (was_full || is_full(one.depth, one.limit)) { // K2
        row.overflows += dropped;
        overflows_ += dropped;
        known.overflow_at = now;
    } else {
        row.drops += dropped;
    }
    if (std::uint64_t{one.depth} * 100 >= (std::uint64_t{one.limit} + 1) * busy_percent)
        known.busy_at = now;
    if (one.limit != 0 && one.requests > one.limit)
        known.flood_at = now;
}

ListenerState ListenerBook::state_of(const Known& known, bool is_one_of_more, Monotonic now) {
    const auto is_recent = [&](const std::optional<Monotonic>& at) {
        return at && now - *at < quiet;
    };
    if (known.row.stalled.value_or(milliseconds(0)) >= stall)
        return is_one_of_more ? ListenerState::one_stuck : ListenerState::not_accepting;
    if (is_recent(known.overflow_at))
        return ListenerState::overflow;
    if (is_recent(known.flood_at))
        return ListenerState::flood;
    return is_recent(known.busy_at) ? ListenerState::burst : ListenerState::ok;
}

void ListenerBook::judge(Known& known, const Reporting& reporting) {
    const ListenerRow& row = known.row;
    if (row.state <= ListenerState::burst) {
        if (known.reported != ListenerState::ok && reporting.now - known.bad_at >= quiet) {
            known.reported = ListenerState::ok;
            known.overflows_before = row.overflows;
            add(reporting, Reason::listener_clear, row);
        }
        return;
    }
    known.bad_at = reporting.now;
    if (row.state <= known.reported)
        return;
    known.reported = row.state;
    std::string more;
    if (row.state == ListenerState::overflow)
        more = fmt::format(" would_have_held={}{}",
                           row.high_water + row.overflows - known.overflows_before,
                           row.is_clipped() ? " clipped=somaxconn" : "");
    add(reporting, reason_of(row.state), row, more);
}

/// K5. A listener that is closed resets those that wait at it.
void ListenerBook::forget_gone(const ListenCount& count, const Reporting& reporting) {
    if (!count.is_whole())
        return;
    for (auto at = known_.begin(); at != known_.end();) {
        Known& known = at->second;
        if (known.pass == count.pass) {
            ++at;
            continue;
        }
        if (known.row.depth != 0) {
            closed_waiting_ += known.row.depth;
            ListenerRow gone = known.row;
            gone.inode = 0;
            add(reporting, Reason::listener_closed_waiting, gone);
        }
        at = known_.erase(at);
    }
}

void ListenerBook::add(const Reporting& reporting, Reason reason, const ListenerRow& row,
                       const std::string& more) {
    Alike& alike = reporting.alike[{reason, row.consumer}];
    if (alike.listeners++ == 0) {
        alike.first = row;
        alike.more = more;
    }
    alike.waiting += row.depth;
}

std::vector<ListenerBook::Made> ListenerBook::findings_of(const std::map<What, Alike>& alike,
                                                          const ConsumerName& name) {
    std::vector<Made> all;
    for (const auto& [what, one] : alike) {
        if (all.size() >= most_findings) {
            ++left_out_;
            continue;
        }
        Finding made;
        made.reason = what.first;
        made.netns = one.first.netns;
        made.evidence = evidence_of(one.first) + one.more;
        if (one.listeners > 1)
            made.evidence += fmt::format(" listeners={} waiting={}", one.listeners, one.waiting);
        if (const auto path = what.second != 0 ? name(what.second) : ""; !path.empty())
            made.evidence += " consumer=" + one_word(path);
        all.push_back({std::move(made), one.first.inode});
    }
    return all;
}

} // namespace ballast::guards
