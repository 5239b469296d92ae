// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/health.h"

#include <algorithm>
#include <tuple>

namespace ballast {
namespace {

constexpr std::array<std::string_view, kHealthStates> state_names{
    "breaker open", "unreachable", "over limit", "at limit", "retransmitting",
    "drift",        "near limit",  "ok",         "idle"};

bool limited(const DestinationRow* row) {
    return row != nullptr && row->mode != Mode::off && row->max_connections.has_value();
}

bool unanswered(const PeerRow& peer) {
    return peer.established == 0 && peer.connecting > 0 && peer.retransmitting > 0;
}

bool near_limit(const DestinationRow& row) {
    return std::uint64_t{row.in_use} * 10 >= std::uint64_t{*row.max_connections} * 9;
}

std::optional<HealthState> state_of_limit(const DestinationRow& row) {
    if (row.in_use > *row.max_connections)
        return HealthState::over_limit;
    if (row.in_use == *row.max_connections)
        return HealthState::at_limit;
    return std::nullopt;
}

HealthState assess(const HealthRow& health) {
    const DestinationRow* row = health.destination;
    const PeerRow& peer = *health.peer;
    if (health.breaker != nullptr && health.breaker->is_refusing())
        return HealthState::breaker_open;
    if (unanswered(peer))
        return HealthState::unreachable;
    if (limited(row))
        if (const auto state = state_of_limit(*row))
            return *state;
    if (peer.retransmitting > 0)
        return HealthState::retransmitting;
    if (row != nullptr && row->drift != 0)
        return HealthState::drift;
    if (limited(row) && near_limit(*row))
        return HealthState::near_limit;
    const bool unused = row != nullptr && row->in_use == 0 && peer.connections == 0;
    return unused ? HealthState::idle : HealthState::ok;
}

std::string_view reason_of_ok(const DestinationRow* row) {
    if (row == nullptr)
        return "not_governed";
    if (row->mode == Mode::off)
        return "guard_off";
    return row->max_connections ? "within_limit" : "counted_only";
}

/// The destination that a peer's sockets are shown with: of its endpoint, and of its service where
/// there is one. `rows` is sorted by endpoint.
HealthRow* row_for(std::vector<HealthRow>& rows, const PeerRow& peer) {
    const auto first =
        std::lower_bound(rows.begin(), rows.end(), peer.endpoint,
                         [](const HealthRow& r, const Endpoint& e) { return r.endpoint() < e; });
    HealthRow* best = nullptr;
    for (auto it = first; it != rows.end() && it->endpoint() == peer.endpoint; ++it)
        if (best == nullptr || it->service() == peer.service)
            best = &*it;
    return best;
}

void add_peers(std::vector<HealthRow>& rows, const std::vector<PeerRow>& peers) {
    std::vector<HealthRow> unmatched;
    for (const PeerRow& peer : peers) {
        if (HealthRow* row = row_for(rows, peer); row != nullptr)
            row->peer = &peer;
        else
            unmatched.push_back({.peer = &peer});
    }
    rows.insert(rows.end(), unmatched.begin(), unmatched.end());
}

/// `rows` are those of destinations, sorted by endpoint.
void add_breakers(std::vector<HealthRow>& rows, const std::vector<BreakerRow>& breakers) {
    for (const BreakerRow& breaker : breakers) {
        auto it = std::lower_bound(
            rows.begin(), rows.end(), breaker.endpoint,
            [](const HealthRow& r, const Endpoint& e) { return r.endpoint() < e; });
        for (; it != rows.end() && it->endpoint() == breaker.endpoint; ++it)
            if (it->service() == breaker.service)
                it->breaker = &breaker;
    }
}

bool worse(const HealthRow& a, const HealthRow& b) {
    // most connections first, hence the swapped sides
    return std::forward_as_tuple(a.state, b.connections(), a.endpoint(), a.service()) <
           std::forward_as_tuple(b.state, a.connections(), b.endpoint(), b.service());
}

} // namespace

const PeerRow& no_sockets() {
    static const PeerRow none;
    return none;
}

std::string_view name_of(HealthState state) {
    return state_names.at(static_cast<std::size_t>(state));
}

std::optional<HealthState> health_state_named(std::string_view name) {
    const auto* found = std::find(state_names.begin(), state_names.end(), name);
    if (found == state_names.end())
        return std::nullopt;
    return static_cast<HealthState>(found - state_names.begin());
}

const Endpoint& HealthRow::endpoint() const {
    return destination != nullptr ? destination->endpoint : peer->endpoint;
}

const std::string& HealthRow::service() const {
    return destination != nullptr ? destination->service : peer->service;
}

std::string_view reason_of(const HealthRow& row) {
    const bool enforced = row.destination != nullptr && row.destination->mode == Mode::enforce;
    switch (row.state) {
    case HealthState::breaker_open:
        return row.breaker->forced == BreakerForce::open ? "forced_open" : "breaker_refusing";
    case HealthState::unreachable:
        return "syn_unanswered";
    case HealthState::over_limit:
    case HealthState::at_limit:
        return enforced ? "limit_refusing" : "limit_observed";
    case HealthState::retransmitting:
        return "unacknowledged";
    case HealthState::drift:
        return "count_differs";
    case HealthState::near_limit:
        return "above_90_percent";
    case HealthState::idle:
        return "no_connections";
    case HealthState::ok:
        break;
    }
    return reason_of_ok(row.destination);
}

std::vector<HealthRow> join_health(const std::vector<DestinationRow>& destinations,
                                   const std::vector<PeerRow>& peers,
                                   const std::vector<BreakerRow>& breakers) {
    std::vector<HealthRow> rows;
    rows.reserve(destinations.size() + peers.size());
    for (const DestinationRow& destination : destinations)
        rows.push_back({.destination = &destination});
    std::sort(rows.begin(), rows.end(),
              [](const HealthRow& a, const HealthRow& b) { return a.endpoint() < b.endpoint(); });
    add_breakers(rows, breakers);
    add_peers(rows, peers);
    for (HealthRow& row : rows)
        row.state = assess(row);
    std::sort(rows.begin(), rows.end(), worse);
    return rows;
}

std::array<std::size_t, kHealthStates> count_states(const std::vector<HealthRow>& rows) {
    std::array<std::size_t, kHealthStates> counts{};
    for (const HealthRow& row : rows)
        ++counts.at(static_cast<std::size_t>(row.state));
    return counts;
}

} // namespace ballast
