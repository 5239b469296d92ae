// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/listeners/readiness.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::guards {

namespace {

using std::chrono::milliseconds;

/// 100 up to `low`, the floor from `high` on.
std::uint32_t share_at(std::uint64_t value, std::uint64_t low, std::uint64_t high) {
    if (value <= low)
        return 100;
    if (value >= high)
        return Readiness::floor;
    const std::uint64_t left = (high - value) * 100 / (high - low);
    return std::max(static_cast<std::uint32_t>(left), Readiness::floor);
}

bool is_unaccepted(const ListenerRow& row) {
    return row.state >= ListenerState::one_stuck;
}

/// Whether it takes connections to the endpoint, as the address of its own or as any.
bool is_bound_to(const ListenerRow& row, const Endpoint& endpoint) {
    return row.local == endpoint;
}

bool takes_any(const ListenerRow& row, const Endpoint& endpoint) {
    const bool is_any_v4 = row.local.address == parse_address("0.0.0.0").value();
    const bool is_any_v6 = row.local.address == parse_address("::").value();
    return row.local.port == endpoint.port &&
           (endpoint.address.is_v4() ? is_any_v4 || (is_any_v6 && row.is_dual) : is_any_v6);
}

std::string why_of(const ListenerRow& row) {
    if (is_unaccepted(row))
        return fmt::format("nobody accepts for {} ms",
                           row.stalled.value_or(milliseconds(0)).count());
    return fmt::format("{} of {} wait, the first for {} ms", row.depth, row.limit,
                       row.oldest.value_or(milliseconds(0)).count());
}

} // namespace

std::uint32_t Readiness::wanted(const ListenerRow& row) {
    if (is_unaccepted(row))
        return 0;
    const std::uint64_t full =
        std::uint64_t{row.depth} * 100 / (std::uint64_t{row.limit} + 1); // Y1
    const auto age = static_cast<std::uint64_t>(row.oldest.value_or(milliseconds(0)).count());
    return std::min(share_at(full, low_percent, high_percent),
                    share_at(age, age_low.count(), age_high.count()));
}

void Readiness::read(const std::vector<ListenerRow>& rows) {
    for (auto& [key, known] : known_)
        known.is_met = false;
    for (const auto& row : rows) {
        Known& known = known_[{row.netns, row.inode}];
        known.row = row;
        known.is_met = true;
        const std::uint32_t now = wanted(row);
        if (now == 0)
            known.percent = 0;
        else if (now < known.percent)
            known.percent = std::max((known.percent + now) / 2, floor);
        else
            known.percent = std::min(now, known.percent + step);
        if (known.percent < not_ready_below)
            known.is_ready = false;
        else if (known.percent >= ready_from)
            known.is_ready = true;
    }
    std::erase_if(known_, [](const auto& one) { return !one.second.is_met; });
}

Readiness::Members Readiness::members(const Endpoint& endpoint,
                                      std::optional<std::uint32_t> netns) const {
    Members exact, any;
    for (const auto& [key, known] : known_) {
        if (netns && key.first != *netns)
            continue;
        if (is_bound_to(known.row, endpoint))
            exact.push_back(&known);
        else if (takes_any(known.row, endpoint))
            any.push_back(&known);
    }
    return exact.empty() ? any : exact;
}

/// Each gets its part of the connections, so the whole has the mean of them.
ReadyRow Readiness::together(const Endpoint& endpoint, const Members& members) {
    ReadyRow made;
    made.endpoint = endpoint;
    std::uint32_t sum = 0;
    const Known* worst = members.front();
    bool is_any_ready = false;
    for (const Known* one : members) {
        sum += one->percent;
        is_any_ready = is_any_ready || one->is_ready;
        if (one->percent < worst->percent)
            worst = one;
    }
    made.percent = sum / static_cast<std::uint32_t>(members.size());
    made.is_ready = is_any_ready;
    if (made.percent < 100)
        made.why = why_of(worst->row);
    return made;
}

std::optional<ReadyRow> Readiness::of(const Endpoint& endpoint, std::uint32_t netns,
                                      std::uint32_t own) const {
    auto found = members(endpoint, netns != 0 ? netns : own);
    if (found.empty() && netns == 0)
        found = members(endpoint, std::nullopt);
    if (found.empty())
        return std::nullopt;
    return together(endpoint, found);
}

} // namespace ballast::guards
