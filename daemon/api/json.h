// SPDX-License-Identifier: Apache-2.0
// The JSON of the API: pure functions from the model. Schema version 1; docs/openapi.json describes
// every key. Durations carry their unit in the key (_ms, _us), times are RFC 3339 in UTC, and null
// stands for "none" (no limit, no service, never measured).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "daemon/api/breakers.h"
#include "daemon/model/breaker_order.h"
#include "daemon/model/explain.h"
#include "daemon/model/finding.h"
#include "daemon/model/health.h"
#include "daemon/model/override.h"
#include "daemon/model/policy.h"
#include "daemon/model/snapshot.h"
#include "daemon/model/state_names.h"
#include "daemon/util/wall_time.h"

namespace ballast::api {

/// Keeps keys in the order they were written, so that people can read it.
using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

/// Limit counts over all destinations, for the status.
struct LimitTotals {
    std::uint64_t at_limit = 0; ///< destinations whose every place is taken, those over it included
    std::uint64_t over_limit = 0;    ///< of these, with more in use than the limit
    std::uint64_t refused = 0;       ///< connects, since their destinations were first seen
    std::uint64_t admitted_over = 0; ///< connects that observe mode let through over the limit
    std::uint64_t drifted = 0;       ///< destinations whose drift is not 0
};
LimitTotals total_limits(const std::vector<DestinationRow>& destinations);

/// From `earlier` to `later` in milliseconds; 0 where the wall clock was set so that it is
/// negative.
std::int64_t milliseconds_between(WallTime earlier, WallTime later);

/// {"schema": 1, "kind": kind}, to be filled by the caller.
Json envelope(std::string_view kind);

Json encode_status(const DaemonStatus& status, const LimitTotals& totals,
                   const BreakerCounts& breakers, WallTime now);
Json encode_health(const HealthRow& row);
Json encode_flow(const FlowRow& row);
Json encode_service(const Service& service);
Json encode_override(const Override& row, WallTime now);
Json encode_breaker(const BreakerRow& row);
Json encode_finding(const KeptFinding& row);
Json encode_port(const PortRow& row);
Json encode_relief(const ReliefRow& row);
/// How many of the rows are in each state.
Json encode_port_states(const std::vector<PortRow>& rows);
Json encode_ports(const PortsStatus& status);
Json encode_listener(const ListenerRow& row);
/// None: nobody listens.
Json encode_ready(const Endpoint& endpoint, const std::optional<ReadyRow>& row);
Json encode_listener_states(const std::vector<ListenerRow>& rows);
Json encode_listeners(const ListenersStatus& status);
Json encode_shed(const ShedTable& shed);

/// Meanings of the reasons in these rows, each once, in the order of the table.
Json encode_reasons(const std::vector<KeptFinding>& rows);
Json encode_order(const BreakerOrder& order);

/// `service` is the one that `row` names by its index.
Json encode_explained(const ExplainedTarget& row, const Service& service);

/// {"timed_out": N, ...}: a member for each kind of failure.
template <typename Number>
Json encode_by_failure(const std::array<Number, kFailures>& numbers) {
    Json json = Json::object();
    for (std::size_t kind = 0; kind < kFailures; ++kind)
        json[std::string(kFailureNames.at(kind))] = numbers.at(kind);
    return json;
}

/// {"schema":1,"error":{"code","message","hint"}}; `hint` is null where there is none.
Json encode_error(std::string_view code, std::string_view message, std::string_view hint);

/// Compact text; bytes that are not UTF-8 (names out of maps) become U+FFFD.
std::string text_of(const Json& json);

} // namespace ballast::api
