// SPDX-License-Identifier: Apache-2.0
// `ballast flows` and GET /v1/flows (docs/openapi.json, Flow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/state_names.h"

namespace ballast {

/// Null for a connection that is not established, or is closing.
inline Cell keepalive_cell(const FlowKeepalive& keepalive) {
    constexpr std::array<std::string_view, 3> setters{"kernel", "app", "ballast"};
    if (keepalive.count == 0)
        return {};
    return std::vector<Member>{{"on", keepalive.on},
                               {"set_by", setters.at(static_cast<std::size_t>(keepalive.set_by))},
                               {"wanted", keepalive.wanted},
                               {"idle_s", keepalive.idle_s},
                               {"interval_s", keepalive.interval_s},
                               {"count", keepalive.count},
                               {"user_timeout_ms", unless_zero(keepalive.user_timeout_ms)}};
}

inline constexpr std::array kFlowColumns{
    ColumnOf<FlowRow>{"state", [](const FlowRow& f) -> Cell { return f.state; }, "STATE",
                      Format::state},
    ColumnOf<FlowRow>{"remote", [](const FlowRow& f) -> Cell { return f.remote.text(); }, "REMOTE"},
    ColumnOf<FlowRow>{"local", [](const FlowRow& f) -> Cell { return f.local.text(); }, "LOCAL",
                      Format::text, 2},
    ColumnOf<FlowRow>{"direction", [](const FlowRow& f) -> Cell { return name_of(f.direction); },
                      "DIRECTION", Format::text, 1},
    ColumnOf<FlowRow>{"service", [](const FlowRow& f) { return unless_empty(f.service); },
                      "SERVICE"},
    ColumnOf<FlowRow>{"reserved", [](const FlowRow& f) -> Cell { return f.reserved; }, "RESERVED",
                      Format::yes, 4},
    ColumnOf<FlowRow>{"retransmits", [](const FlowRow& f) -> Cell { return f.retransmits; },
                      "RETRANS", Format::nonzero},
    ColumnOf<FlowRow>{"rtt_us", [](const FlowRow& f) { return unless_zero(f.rtt_us); }, "RTT",
                      Format::us, 3},
    ColumnOf<FlowRow>{"idle_ms", [](const FlowRow& f) -> Cell { return f.idle_ms; }, "IDLE",
                      Format::ms},
    ColumnOf<FlowRow>{"keepalive", [](const FlowRow& f) { return keepalive_cell(f.keepalive); },
                      "KEEPALIVE", Format::own, 5, true},
    ColumnOf<FlowRow>{"cookie", [](const FlowRow& f) { return unless_zero(f.cookie); }},
    ColumnOf<FlowRow>{"netns", [](const FlowRow& f) -> Cell { return f.netns; }},
};

} // namespace ballast
