// SPDX-License-Identifier: Apache-2.0
// `ballast health` and GET /v1/health (docs/openapi.json, HealthRow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/health.h"
#include "daemon/model/names.h"

namespace ballast {

using HealthColumn = ColumnOf<HealthRow>;

/// What is known of a destination that a policy governs; else null.
template <auto Field>
Cell governed(const HealthRow& row) {
    return row.destination ? Cell(row.destination->*Field) : Cell();
}
/// What sockets say.
template <auto Field>
Cell sockets(const HealthRow& row) {
    return row.peer->*Field;
}

inline Cell mode_cell(const HealthRow& row) {
    return row.destination ? Cell(name_of(row.destination->mode)) : Cell();
}
inline Cell learned_in_cell(const HealthRow& row) {
    const bool is_known = row.destination && row.destination->learned_in;
    return is_known ? Cell(row.destination->learned_in->text()) : Cell();
}
inline Cell rtt_cell(const HealthRow& row) {
    return unless_zero(row.peer->rtt_median_us);
}
inline Cell idle_cell(const HealthRow& row) {
    return row.peer->connections ? Cell(row.peer->idle_max_ms) : Cell();
}

inline constexpr std::array kHealthColumns{
    HealthColumn{"state", [](const HealthRow& h) -> Cell { return name_of(h.state); }, "STATE",
                 Format::state},
    HealthColumn{"endpoint", [](const HealthRow& h) -> Cell { return h.endpoint().text(); },
                 "DESTINATION"},
    HealthColumn{"service", [](const HealthRow& h) -> Cell { return unless_empty(h.service()); },
                 "SERVICE"},
    HealthColumn{"reason", [](const HealthRow& h) -> Cell { return reason_of(h); }},
    HealthColumn{"mode", mode_cell, "MODE", Format::text, 5},
    HealthColumn{"in_use", governed<&DestinationRow::in_use>, "IN USE", Format::count},
    HealthColumn{"max_connections", governed<&DestinationRow::max_connections>, "LIMIT",
                 Format::count},
    HealthColumn{"refused", governed<&DestinationRow::refused>, "REFUSED", Format::nonzero},
    HealthColumn{"over_limit", governed<&DestinationRow::over_limit>, "LET OVER", Format::nonzero,
                 4, true},
    HealthColumn{"admitted", governed<&DestinationRow::admitted>},
    HealthColumn{"adopted", governed<&DestinationRow::adopted>, "ADOPTED", Format::nonzero, 8,
                 true},
    HealthColumn{"drift", governed<&DestinationRow::drift>, "DRIFT", Format::nonzero, 0, true},
    HealthColumn{"connections", sockets<&PeerRow::connections>, "CONNS", Format::count},
    HealthColumn{"established", sockets<&PeerRow::established>, "ESTAB", Format::count, 6},
    HealthColumn{"connecting", sockets<&PeerRow::connecting>, "SYN", Format::nonzero, 3, true},
    HealthColumn{"closing", sockets<&PeerRow::closing>, "CLOSING", Format::nonzero, 7, true},
    HealthColumn{"retransmitting", sockets<&PeerRow::retransmitting>, "RETRANS", Format::nonzero, 0,
                 true},
    HealthColumn{"rtt_median_us", rtt_cell, "RTT", Format::us, 1},
    HealthColumn{"idle_max_ms", idle_cell, "IDLE", Format::ms, 2},
    HealthColumn{"idle_survived_ms", governed<&DestinationRow::survived>, "SURVIVED", Format::ms, 9,
                 true},
    HealthColumn{"idle_died_ms", governed<&DestinationRow::died>, "DIED", Format::ms, 10, true},
    HealthColumn{"idle_learned_in", learned_in_cell, "LEARNED IN", Format::text, 11, true},
};

} // namespace ballast
