// SPDX-License-Identifier: Apache-2.0
#include "daemon/resolve/schedule.h"

#include <algorithm>

namespace ballast {

void Schedule::set_interval(std::chrono::milliseconds wanted, Time now) {
    interval_ = wanted;
    for (auto& [host, entry] : entries_)
        entry.due = std::min(entry.due, now + wanted);
}

void Schedule::follow(const std::vector<std::string>& hosts, Time now) {
    std::map<std::string, Entry> wanted;
    for (const std::string& host : hosts) {
        const auto known = entries_.find(host);
        wanted.emplace(host, known == entries_.end() ? Entry{now} : known->second);
    }
    entries_ = std::move(wanted);
}

std::vector<std::string> Schedule::take_due(Time now) {
    std::vector<std::string> hosts;
    for (auto& [host, entry] : entries_) {
        if (entry.under_way || entry.due > now)
            continue;
        entry.under_way = true;
        hosts.push_back(host);
    }
    return hosts;
}

void Schedule::answered(const std::string& host, bool resolved, Time now) {
    const auto found = entries_.find(host);
    if (found == entries_.end())
        return;
    const auto retry = std::min<std::chrono::milliseconds>(retry_after, interval_);
    found->second = {now + (resolved ? interval_ : retry), false};
}

std::optional<Schedule::Time> Schedule::next() const {
    std::optional<Time> first;
    for (const auto& [host, entry] : entries_)
        if (!entry.under_way && (!first || entry.due < *first))
            first = entry.due;
    return first;
}

} // namespace ballast
