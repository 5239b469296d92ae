// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/json.h"

#include "daemon/api/json_values.h"
#include "daemon/model/columns/breaker.h"
#include "daemon/model/names.h"

namespace ballast::api {

Json encode_breaker(const BreakerRow& row) {
    return encode_row(row, kBreakerColumns);
}

Json encode_order(const BreakerOrder& order) {
    return {{"endpoint", order.endpoint.text()},
            {"force", json_of(force_cell(order.force))},
            {"reason", or_null(order.reason)},
            {"lasts_ms", or_null(order.lasts)},
            {"by", order.by}};
}

} // namespace ballast::api
