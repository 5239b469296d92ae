// SPDX-License-Identifier: Apache-2.0
// The JSON of findings.
#include <algorithm>

#include "daemon/api/json.h"
#include "daemon/api/json_values.h"

namespace ballast::api {
namespace {

Json encode_owner(const SocketOwner& owner) {
    if (owner.pid == 0)
        return nullptr;
    return {{"pid", owner.pid}, {"comm", owner.comm}, {"unit", or_null(owner.unit)}};
}

} // namespace

Json encode_finding(const KeptFinding& row) {
    const Finding& what = row.what;
    const auto& reason = findings::row_of(what.reason);
    const bool is_placed = what.destination.port != 0;
    return {{"id", row.id},
            {"at", rfc3339(row.at)},
            {"last_at", rfc3339(row.last)},
            {"coalesced", row.coalesced},
            {"severity", name_of(reason.severity)},
            {"reason", reason.code},
            {"kind", or_null(what.kind)},
            {"destination", is_placed ? Json(what.destination.text()) : Json(nullptr)},
            {"service", or_null(what.service)},
            {"acted", or_null(what.acted)},
            {"netns", nonzero_or_null(what.netns)},
            {"tcp_state", or_null(what.tcp_state)},
            {"owner", encode_owner(what.owner)},
            {"evidence", what.evidence}};
}

Json encode_reasons(const std::vector<KeptFinding>& rows) {
    Json json = Json::array();
    for (const auto& reason : findings::kReasons)
        if (std::ranges::any_of(
                rows, [&](const KeptFinding& row) { return row.what.reason == reason.reason; }))
            json.push_back({{"reason", reason.code},
                            {"severity", name_of(reason.severity)},
                            {"summary", reason.summary},
                            {"advice", reason.advice}});
    return json;
}

} // namespace ballast::api
