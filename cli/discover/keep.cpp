// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/keep.h"

#include "cli/http.h"

namespace ballast::cli {

Json path_body(const discovery::Findings& findings) {
    Json body = Json::object();
    if (findings.survived)
        body["survived_ms"] = findings.survived->count();
    if (findings.died && findings.death == discovery::Death::silently_dropped)
        body["died_ms"] = findings.died->count();
    return body.empty() ? Json(nullptr) : body;
}

std::string keep(const Client& client, const Measurement& measurement,
                 const discovery::Findings& findings) {
    const Json body = path_body(findings);
    if (body.is_null())
        return {};
    const auto kept =
        client.write("PUT", "/v1/paths/" + percent_encode(measurement.destination.text()), body);
    if (kept)
        return "kept by ballastd, for keepalive";
    return fmt::format("not kept for keepalive: {}", kept.error().error.message());
}

} // namespace ballast::cli
