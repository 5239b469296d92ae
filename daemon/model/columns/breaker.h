// SPDX-License-Identifier: Apache-2.0
// `ballast breaker list` and GET /v1/breakers (docs/openapi.json, BreakerRow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/names.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/state_names.h"

namespace ballast {

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
    ColumnOf<BreakerRow>{"state", [](const BreakerRow& b) -> Cell { return name_of(b.state); },
                         "STATE", Format::state},
    ColumnOf<BreakerRow>{"endpoint", [](const BreakerRow& b) -> Cell { return b.endpoint.text(); },
                         "DESTINATION"},
    ColumnOf<BreakerRow>{"service", [](const BreakerRow& b) { return unless_empty(b.service); },
                         "SERVICE"},
    ColumnOf<BreakerRow>{"mode", [](const BreakerRow& b) -> Cell { return name_of(b.mode); },
                         "MODE"},
    ColumnOf<BreakerRow>{"since_ms", [](const BreakerRow& b) -> Cell { return b.since; }, "FOR",
                         Format::ms, 4},
    ColumnOf<BreakerRow>{"until_ms", [](const BreakerRow& b) -> Cell { return b.until; }, "ENDS",
                         Format::own},
    ColumnOf<BreakerRow>{"level", [](const BreakerRow& b) -> Cell { return b.level; }},
    ColumnOf<BreakerRow>{"failures", [](const BreakerRow& b) { return failures_cell(b.failures); },
                         "FAILURES"},
    ColumnOf<BreakerRow>{"last_error",
                         [](const BreakerRow& b) { return unless_empty(b.last_error); },
                         "LAST ERROR", Format::text, 3, true},
    ColumnOf<BreakerRow>{"opened", [](const BreakerRow& b) -> Cell { return b.opened; }, "OPENED",
                         Format::nonzero, 6, true},
    ColumnOf<BreakerRow>{"withheld", [](const BreakerRow& b) -> Cell { return b.withheld; },
                         "WITHHELD", Format::nonzero, 7, true},
    ColumnOf<BreakerRow>{"refused", [](const BreakerRow& b) -> Cell { return b.refused; },
                         "REFUSED", Format::nonzero},
    ColumnOf<BreakerRow>{"would_refuse", [](const BreakerRow& b) -> Cell { return b.would_refuse; },
                         "LET PASS", Format::nonzero, 5, true},
    ColumnOf<BreakerRow>{"forced", [](const BreakerRow& b) { return force_cell(b.forced); }},
    ColumnOf<BreakerRow>{"forced_by", [](const BreakerRow& b) { return unless_empty(b.forced_by); },
                         "FORCED BY", Format::text, 1, true},
    ColumnOf<BreakerRow>{"forced_reason",
                         [](const BreakerRow& b) { return unless_empty(b.forced_reason); }},
    ColumnOf<BreakerRow>{"forced_for_ms", [](const BreakerRow& b) -> Cell { return b.forced_for; }},
};

} // namespace ballast
