// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/json.h"

#include "daemon/api/json_values.h"
#include "daemon/api/names.h"
#include "daemon/model/names.h"

namespace ballast::api {
namespace {

Json encode_force(BreakerForce force) {
    return force == BreakerForce::none ? Json(nullptr) : Json(name_of(force));
}

} // namespace

Json encode_breaker(const BreakerRow& row) {
    Json json;
    json["endpoint"] = row.endpoint.text();
    json["service"] = or_null(row.service);
    json["mode"] = name_of(row.mode);
    json["state"] = name_of(row.state);
    json["since_ms"] = or_null(row.since);
    json["until_ms"] = or_null(row.until);
    json["level"] = row.level;
    json["failures"] = encode_by_failure(row.failures);
    json["last_error"] = or_null(row.last_error);
    json["opened"] = row.opened;
    json["withheld"] = row.withheld;
    json["refused"] = row.refused;
    json["would_refuse"] = row.would_refuse;
    json["forced"] = encode_force(row.forced);
    json["forced_by"] = or_null(row.forced_by);
    json["forced_reason"] = or_null(row.forced_reason);
    json["forced_for_ms"] = or_null(row.forced_for);
    return json;
}

Json encode_order(const BreakerOrder& order) {
    return {{"endpoint", order.endpoint.text()},
            {"force", encode_force(order.force)},
            {"reason", or_null(order.reason)},
            {"lasts_ms", or_null(order.lasts)},
            {"by", order.by}};
}

} // namespace ballast::api
