// SPDX-License-Identifier: Apache-2.0
// `ballast ports` and GET /v1/ports (docs/openapi.json, PortRow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/port_relief.h"
#include "daemon/model/port_row.h"

namespace ballast {

using PortColumn = ColumnOf<PortRow>;

inline Cell port_use_cell(const PortRow& row) {
    return std::vector<Member>{{"used", row.used}, {"capacity", row.capacity}};
}

/// Null where nothing is foretold.
inline Cell port_forecast_cell(const PortRow& row) {
    if (!row.to_knee && !row.to_wall)
        return {};
    return std::vector<Member>{{"knee_ms", row.to_knee},
                               {"wall_ms", row.to_wall},
                               {"confidence", name_of(row.confidence)}};
}

inline constexpr std::array kPortColumns{
    PortColumn{"state", name_field<&PortRow::state>, "STATE", Format::state},
    PortColumn{"source", [](const PortRow& p) -> Cell { return p.key.source.text(); }, "SOURCE"},
    PortColumn{"endpoint", [](const PortRow& p) -> Cell { return p.key.remote.text(); },
               "DESTINATION"},
    PortColumn{"netns", [](const PortRow& p) -> Cell { return p.key.netns; }, "NETNS",
               Format::count, 3},
    PortColumn{"ports", port_use_cell, "PORTS", Format::own},
    PortColumn{"time_wait", field<&PortRow::time_wait>, "TIME-WAIT", Format::nonzero},
    PortColumn{"fin_wait2", field<&PortRow::fin_wait2>, "FIN-WAIT-2", Format::nonzero, 6, true},
    PortColumn{"connecting", field<&PortRow::connecting>, "SYN", Format::nonzero, 7, true},
    PortColumn{"established", field<&PortRow::established>, "ESTAB", Format::nonzero, 5},
    PortColumn{"close_wait", field<&PortRow::close_wait>, "CLOSE-WAIT", Format::nonzero, 4, true},
    PortColumn{"closing", field<&PortRow::closing>, "CLOSING", Format::nonzero, 8, true},
    PortColumn{"poisoned", field<&PortRow::poisoned>, "POISONED", Format::nonzero, 9, true},
    PortColumn{"reserved", field<&PortRow::reserved>},
    PortColumn{"opens_per_s", field<&PortRow::opens_per_s>, "OPENS/S", Format::nonzero},
    PortColumn{"forecast", port_forecast_cell, "FORECAST", Format::own},
    PortColumn{"next_end_ms", field<&PortRow::next_end>, "NEXT FREE", Format::ms, 10, true},
    PortColumn{"consumer", text_field<&PortRow::consumer_path>, "CONSUMER", Format::text, 2, true},
    PortColumn{"range",
               [](const PortRow& p) -> Cell {
                   return std::vector<Member>{{"low", std::uint32_t{p.low}},
                                              {"high", std::uint32_t{p.high}}};
               }},
    PortColumn{"relief", [](const PortRow& p) -> Cell { return unless_empty(relief_of(p)); }},
};

} // namespace ballast
