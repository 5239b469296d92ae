// SPDX-License-Identifier: Apache-2.0
// `ballast health` and GET /v1/health (docs/openapi.json, HealthRow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/health.h"
#include "daemon/model/names.h"

namespace ballast {

/// Null for a destination that no policy governs.
template <typename Get>
Cell if_governed(const HealthRow& row, Get get) {
    return row.destination ? Cell(get(*row.destination)) : Cell();
}

inline constexpr std::array kHealthColumns{
    ColumnOf<HealthRow>{"state", [](const HealthRow& h) -> Cell { return name_of(h.state); },
                        "STATE", Format::state},
    ColumnOf<HealthRow>{"endpoint", [](const HealthRow& h) -> Cell { return h.endpoint().text(); },
                        "DESTINATION"},
    ColumnOf<HealthRow>{"service", [](const HealthRow& h) { return unless_empty(h.service()); },
                        "SERVICE"},
    ColumnOf<HealthRow>{"reason", [](const HealthRow& h) -> Cell { return reason_of(h); }},
    ColumnOf<HealthRow>{"mode",
                        [](const HealthRow& h) {
                            return if_governed(h, [](const auto& d) { return name_of(d.mode); });
                        },
                        "MODE", Format::text, 5},
    ColumnOf<HealthRow>{
        "in_use",
        [](const HealthRow& h) { return if_governed(h, [](const auto& d) { return d.in_use; }); },
        "IN USE", Format::count},
    ColumnOf<HealthRow>{"max_connections",
                        [](const HealthRow& h) {
                            return if_governed(h, [](const auto& d) { return d.max_connections; });
                        },
                        "LIMIT", Format::count},
    ColumnOf<HealthRow>{
        "refused",
        [](const HealthRow& h) { return if_governed(h, [](const auto& d) { return d.refused; }); },
        "REFUSED", Format::nonzero},
    ColumnOf<HealthRow>{"over_limit",
                        [](const HealthRow& h) {
                            return if_governed(h, [](const auto& d) { return d.over_limit; });
                        },
                        "LET OVER", Format::nonzero, 4, true},
    ColumnOf<HealthRow>{"admitted",
                        [](const HealthRow& h) {
                            return if_governed(h, [](const auto& d) { return d.admitted; });
                        }},
    ColumnOf<HealthRow>{
        "adopted",
        [](const HealthRow& h) { return if_governed(h, [](const auto& d) { return d.adopted; }); },
        "ADOPTED", Format::nonzero, 8, true},
    ColumnOf<HealthRow>{
        "drift",
        [](const HealthRow& h) { return if_governed(h, [](const auto& d) { return d.drift; }); },
        "DRIFT", Format::nonzero, 0, true},
    ColumnOf<HealthRow>{"connections",
                        [](const HealthRow& h) -> Cell { return h.peer->connections; }, "CONNS",
                        Format::count},
    ColumnOf<HealthRow>{"established",
                        [](const HealthRow& h) -> Cell { return h.peer->established; }, "ESTAB",
                        Format::count, 6},
    ColumnOf<HealthRow>{"connecting", [](const HealthRow& h) -> Cell { return h.peer->connecting; },
                        "SYN", Format::nonzero, 3, true},
    ColumnOf<HealthRow>{"closing", [](const HealthRow& h) -> Cell { return h.peer->closing; },
                        "CLOSING", Format::nonzero, 7, true},
    ColumnOf<HealthRow>{"retransmitting",
                        [](const HealthRow& h) -> Cell { return h.peer->retransmitting; },
                        "RETRANS", Format::nonzero, 0, true},
    ColumnOf<HealthRow>{"rtt_median_us",
                        [](const HealthRow& h) { return unless_zero(h.peer->rtt_median_us); },
                        "RTT", Format::us, 1},
    ColumnOf<HealthRow>{
        "idle_max_ms",
        [](const HealthRow& h) { return h.peer->connections ? Cell(h.peer->idle_max_ms) : Cell(); },
        "IDLE", Format::ms, 2},
    ColumnOf<HealthRow>{
        "idle_survived_ms",
        [](const HealthRow& h) { return if_governed(h, [](const auto& d) { return d.survived; }); },
        "SURVIVED", Format::ms, 9, true},
    ColumnOf<HealthRow>{
        "idle_died_ms",
        [](const HealthRow& h) { return if_governed(h, [](const auto& d) { return d.died; }); },
        "DIED", Format::ms, 10, true},
    ColumnOf<HealthRow>{"idle_learned_in",
                        [](const HealthRow& h) {
                            return if_governed(h, [](const auto& d) {
                                return d.learned_in ? std::optional(d.learned_in->text())
                                                    : std::nullopt;
                            });
                        },
                        "LEARNED IN", Format::text, 11, true},
};

} // namespace ballast
