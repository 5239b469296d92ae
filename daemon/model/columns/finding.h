// SPDX-License-Identifier: Apache-2.0
// `ballast events` and GET /v1/findings (docs/openapi.json, Finding).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/finding.h"
#include "daemon/util/wall_time.h"

namespace ballast {

/// Null where nobody is known.
inline Cell owner_cell(const SocketOwner& owner) {
    if (owner.pid == 0)
        return {};
    return std::vector<Member>{
        {"pid", owner.pid}, {"comm", owner.comm}, {"unit", unless_empty(owner.unit)}};
}

inline constexpr std::array kFindingColumns{
    ColumnOf<KeptFinding>{"id", [](const KeptFinding& f) -> Cell { return f.id; }},
    ColumnOf<KeptFinding>{"at", [](const KeptFinding& f) -> Cell { return rfc3339(f.at); }, "TIME",
                          Format::time},
    ColumnOf<KeptFinding>{"last_at", [](const KeptFinding& f) -> Cell { return rfc3339(f.last); }},
    ColumnOf<KeptFinding>{"severity",
                          [](const KeptFinding& f) -> Cell {
                              return name_of(findings::row_of(f.what.reason).severity);
                          },
                          "SEVERITY", Format::state},
    ColumnOf<KeptFinding>{
        "reason", [](const KeptFinding& f) -> Cell { return findings::row_of(f.what.reason).code; },
        "REASON"},
    ColumnOf<KeptFinding>{"kind", [](const KeptFinding& f) { return unless_empty(f.what.kind); }},
    ColumnOf<KeptFinding>{"destination",
                          [](const KeptFinding& f) {
                              const auto& place = f.what.destination;
                              return place.port ? Cell(place.text()) : Cell();
                          },
                          "DESTINATION"},
    ColumnOf<KeptFinding>{
        "service", [](const KeptFinding& f) { return unless_empty(f.what.service); }, "SERVICE"},
    ColumnOf<KeptFinding>{"coalesced", [](const KeptFinding& f) -> Cell { return f.coalesced; },
                          "MORE", Format::nonzero, 0, true},
    ColumnOf<KeptFinding>{"acted", [](const KeptFinding& f) -> Cell { return f.what.acted; }},
    ColumnOf<KeptFinding>{"netns", [](const KeptFinding& f) { return unless_zero(f.what.netns); }},
    ColumnOf<KeptFinding>{"tcp_state",
                          [](const KeptFinding& f) { return unless_empty(f.what.tcp_state); }},
    ColumnOf<KeptFinding>{"owner", [](const KeptFinding& f) { return owner_cell(f.what.owner); },
                          "OWNER", Format::own, 0, true},
    ColumnOf<KeptFinding>{"evidence", [](const KeptFinding& f) -> Cell { return f.what.evidence; },
                          "EVIDENCE"},
};

} // namespace ballast
