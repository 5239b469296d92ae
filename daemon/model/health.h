// SPDX-License-Identifier: Apache-2.0
// Health of destinations: what Ballast decided about each (DestinationRow, BreakerRow) joined with
// what the sockets say (PeerRow), and one word for how it is. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/snapshot.h"

namespace ballast {

/// Worst first; a destination has the first that is true of it.
enum class HealthState {
    breaker_open,   ///< its breaker turns new connections away
    unreachable,    ///< nothing established, connection attempts go unanswered
    over_limit,     ///< more in use than the limit: adopted, or admitted while observing
    at_limit,       ///< every place is taken
    retransmitting, ///< established flows wait for acknowledgements
    drift,          ///< reservations and sockets do not agree
    near_limit,     ///< nine tenths of the places or more are taken
    ok,
    idle, ///< governed, with no connection now
};
constexpr std::size_t kHealthStates = 9;

/// "at limit"; what is shown and what `?state=` takes.
std::string_view name_of(HealthState state);
std::optional<HealthState> health_state_named(std::string_view name);

/// The peer of a destination that no sweep saw a socket of.
const PeerRow& no_sockets();

/// One endpoint. They point into the vectors given to join_health, which must outlive the row.
struct HealthRow {
    const DestinationRow* destination = nullptr; ///< null: no policy governs it
    const PeerRow* peer = &no_sockets();         ///< never null
    HealthState state = HealthState::ok;
    const BreakerRow* breaker = nullptr; ///< null: it never failed

    [[nodiscard]] const Endpoint& endpoint() const;
    [[nodiscard]] const std::string& service() const; ///< empty: no policy governs it
    /// Sockets in any state but TIME_WAIT.
    [[nodiscard]] std::uint32_t connections() const { return peer->connections; }
};

/// A stable code that says why the row has its state ("limit_refusing", "limit_observed", ...).
std::string_view reason_of(const HealthRow& row);

/// One row per endpoint and, where a policy change left reservations of two services on one
/// endpoint, one per service: its sockets are then shown with the service that governs it now.
/// Sorted worst first, then by connections (most first), then by endpoint.
std::vector<HealthRow> join_health(const std::vector<DestinationRow>& destinations,
                                   const std::vector<PeerRow>& peers,
                                   const std::vector<BreakerRow>& breakers);

/// How many rows are in each state, indexed by HealthState.
std::array<std::size_t, kHealthStates> count_states(const std::vector<HealthRow>& rows);

} // namespace ballast
