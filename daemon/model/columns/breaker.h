// SPDX-License-Identifier: Apache-2.0
// `ballast breaker list` and GET /v1/breakers (docs/openapi.json, BreakerRow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/names.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/state_names.h"

namespace ballast {

using BreakerColumn = ColumnOf<BreakerRow>;

inline Cell failures_cell(const std::array<std::uint32_t, kFailures>& failures) {
    std::vector<Member> members;
    for (std::size_t kind = 0; kind < kFailures; ++kind)
        members.push_back({kFailureNames.at(kind), failures.at(kind)});
    return members;
}

/// Null where the breaker decides itself.
inline Cell force_cell(BreakerForce force) {
    return force == BreakerForce::none ? Cell() : Cell(name_of(force));
}

inline constexpr std::array kBreakerColumns{
    BreakerColumn{"state", name_field<&BreakerRow::state>, "STATE", Format::state},
    BreakerColumn{"endpoint", [](const BreakerRow& b) -> Cell { return b.endpoint.text(); },
                  "DESTINATION"},
    BreakerColumn{"service", text_field<&BreakerRow::service>, "SERVICE"},
    BreakerColumn{"mode", name_field<&BreakerRow::mode>, "MODE"},
    BreakerColumn{"since_ms", field<&BreakerRow::since>, "FOR", Format::ms, 4},
    BreakerColumn{"until_ms", field<&BreakerRow::until>, "ENDS", Format::own},
    BreakerColumn{"level", field<&BreakerRow::level>},
    BreakerColumn{"failures", [](const BreakerRow& b) { return failures_cell(b.failures); },
                  "FAILURES"},
    BreakerColumn{"last_error", text_field<&BreakerRow::last_error>, "LAST ERROR", Format::text, 3,
                  true},
    BreakerColumn{"opened", field<&BreakerRow::opened>, "OPENED", Format::nonzero, 6, true},
    BreakerColumn{"withheld", field<&BreakerRow::withheld>, "WITHHELD", Format::nonzero, 7, true},
    BreakerColumn{"refused", field<&BreakerRow::refused>, "REFUSED", Format::nonzero},
    BreakerColumn{"would_refuse", field<&BreakerRow::would_refuse>, "LET PASS", Format::nonzero, 5,
                  true},
    BreakerColumn{"forced", [](const BreakerRow& b) { return force_cell(b.forced); }},
    BreakerColumn{"forced_by", text_field<&BreakerRow::forced_by>, "FORCED BY", Format::text, 1,
                  true},
    BreakerColumn{"forced_reason", text_field<&BreakerRow::forced_reason>},
    BreakerColumn{"forced_for_ms", field<&BreakerRow::forced_for>},
};

} // namespace ballast
