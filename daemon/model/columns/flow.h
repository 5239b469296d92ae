// SPDX-License-Identifier: Apache-2.0
// `ballast flows` and GET /v1/flows (docs/openapi.json, Flow).
#pragma once

#include <array>

#include "daemon/model/column.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/state_names.h"

namespace ballast {

using FlowColumn = ColumnOf<FlowRow>;

/// Null for a connection that is not established, or is closing.
inline Cell keepalive_cell(const FlowKeepalive& keepalive) {
    constexpr std::array<std::string_view, 3> setters{"kernel", "app", "ballast"};
    constexpr std::array<std::string_view, 4> lacks{"", "observe", "user_timeout", "patience"};
    const std::string_view lack = lacks.at(static_cast<std::size_t>(keepalive.lack));
    if (keepalive.count == 0)
        return {};
    return std::vector<Member>{{"on", keepalive.on},
                               {"set_by", setters.at(static_cast<std::size_t>(keepalive.set_by))},
                               {"wanted", keepalive.is_wanted()},
                               {"why_not", unless_empty(lack)},
                               {"idle_s", keepalive.idle_s},
                               {"interval_s", keepalive.interval_s},
                               {"count", keepalive.count},
                               {"user_timeout_ms", unless_zero(keepalive.user_timeout_ms)}};
}

inline constexpr std::array kFlowColumns{
    FlowColumn{"state", field<&FlowRow::state>, "STATE", Format::state},
    FlowColumn{"remote", [](const FlowRow& f) -> Cell { return f.remote.text(); }, "REMOTE"},
    FlowColumn{"local", [](const FlowRow& f) -> Cell { return f.local.text(); }, "LOCAL",
               Format::text, 2},
    FlowColumn{"direction", name_field<&FlowRow::direction>, "DIRECTION", Format::text, 1},
    FlowColumn{"service", text_field<&FlowRow::service>, "SERVICE"},
    FlowColumn{"reserved", field<&FlowRow::reserved>, "RESERVED", Format::yes, 4},
    FlowColumn{"retransmits", field<&FlowRow::retransmits>, "RETRANS", Format::nonzero},
    FlowColumn{"rtt_us", nonzero_field<&FlowRow::rtt_us>, "RTT", Format::us, 3},
    FlowColumn{"idle_ms", field<&FlowRow::idle_ms>, "IDLE", Format::ms},
    FlowColumn{"keepalive", [](const FlowRow& f) { return keepalive_cell(f.keepalive); },
               "KEEPALIVE", Format::own, 5, true},
    FlowColumn{"cookie", nonzero_field<&FlowRow::cookie>},
    FlowColumn{"netns", field<&FlowRow::netns>},
};

} // namespace ballast
