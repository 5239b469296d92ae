// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/handlers.h"
#include "daemon/api/json.h"
#include "daemon/api/json_values.h"
#include "daemon/api/path_body.h"

namespace ballast::api {
namespace {

Json encode_silence(const std::optional<std::chrono::milliseconds>& known) {
    return known ? Json(known->count()) : Json(nullptr);
}

} // namespace

/// Answers with the known times of the path now, which may be less than was reported: a single drop
/// may count as loss.
Response put_path(const Request& request, const Context& context) {
    auto report = parse_path_body(request.body);
    if (!report)
        return error_response(400, "bad_body", report.error());
    const auto endpoint = parse_endpoint(context.target);
    if (!endpoint)
        return error_response(400, "bad_parameter", endpoint.error());
    report->path = *endpoint;
    const PathReport known = context.backend.learn_path(*report);
    Json json = envelope("path");
    json["endpoint"] = endpoint->text();
    json["idle_survived_ms"] = encode_silence(known.survived);
    json["idle_died_ms"] = encode_silence(known.died);
    json["idle_learned_in"] = known.learned_in ? Json(known.learned_in->text()) : Json(nullptr);
    Response response;
    response.body = text_of(json);
    return response;
}

} // namespace ballast::api
