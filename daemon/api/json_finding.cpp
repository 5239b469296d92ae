// SPDX-License-Identifier: Apache-2.0
// The JSON of findings.
#include <algorithm>

#include "daemon/api/json.h"
#include "daemon/api/json_values.h"
#include "daemon/model/columns/finding.h"

namespace ballast::api {

Json encode_finding(const KeptFinding& row) {
    return encode_row(row, kFindingColumns);
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
