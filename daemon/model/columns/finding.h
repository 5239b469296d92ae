// SPDX-License-Identifier: Apache-2.0
// `ballast events` and GET /v1/findings (docs/openapi.json, Finding).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/finding.h"
#include "daemon/util/wall_time.h"

namespace ballast {

using FindingColumn = ColumnOf<KeptFinding>;

/// Null where nobody is known.
inline Cell owner_cell(const SocketOwner& owner) {
    if (owner.pid == 0)
        return {};
    return std::vector<Member>{
        {"pid", owner.pid}, {"comm", owner.comm}, {"unit", unless_empty(owner.unit)}};
}

inline Cell destination_cell(const KeptFinding& finding) {
    const auto& place = finding.what.destination;
    return place.port ? Cell(place.text()) : Cell();
}
inline const findings::ReasonRow& reason_of(const KeptFinding& finding) {
    return findings::row_of(finding.what.reason);
}

inline constexpr std::array kFindingColumns{
    FindingColumn{"id", field<&KeptFinding::id>},
    FindingColumn{"at", [](const KeptFinding& f) -> Cell { return rfc3339(f.at); }, "TIME",
                  Format::time},
    FindingColumn{"last_at", [](const KeptFinding& f) -> Cell { return rfc3339(f.last); }},
    FindingColumn{"severity",
                  [](const KeptFinding& f) -> Cell { return name_of(reason_of(f).severity); },
                  "SEVERITY", Format::state},
    FindingColumn{"reason", [](const KeptFinding& f) -> Cell { return reason_of(f).code; },
                  "REASON"},
    FindingColumn{"kind", [](const KeptFinding& f) -> Cell { return unless_empty(f.what.kind); }},
    FindingColumn{"destination", destination_cell, "DESTINATION"},
    FindingColumn{"service",
                  [](const KeptFinding& f) -> Cell { return unless_empty(f.what.service); },
                  "SERVICE"},
    FindingColumn{"coalesced", field<&KeptFinding::coalesced>, "MORE", Format::nonzero, 0, true},
    FindingColumn{"acted", [](const KeptFinding& f) -> Cell { return f.what.acted; }},
    FindingColumn{"netns", [](const KeptFinding& f) -> Cell { return unless_zero(f.what.netns); }},
    FindingColumn{"tcp_state",
                  [](const KeptFinding& f) -> Cell { return unless_empty(f.what.tcp_state); }},
    FindingColumn{"owner", [](const KeptFinding& f) { return owner_cell(f.what.owner); }, "OWNER",
                  Format::own, 0, true},
    FindingColumn{"evidence", [](const KeptFinding& f) -> Cell { return f.what.evidence; },
                  "EVIDENCE"},
};

} // namespace ballast
