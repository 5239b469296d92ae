// SPDX-License-Identifier: Apache-2.0
// The query part of a request's address, validated: every parameter is known, given once and in
// range, or the request is refused by the parameter's name.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/filter.h"
#include "daemon/model/finding_query.h"
#include "daemon/util/error.h"

namespace ballast::api {

constexpr std::size_t kDefaultListLimit = 100;
constexpr std::size_t kMaxListLimit = 10'000;

/// Names and values as they were sent, percent-decoded, in order.
using QueryPairs = std::vector<std::pair<std::string, std::string>>;

/// `limit` is 1..kMaxListLimit.
struct HealthQuery {
    std::size_t limit = kDefaultListLimit;
    HealthFilter filter;
};

struct FlowQuery {
    std::size_t limit = kDefaultListLimit;
    FlowFilter filter;
};

struct LimitQuery {
    std::size_t limit = kDefaultListLimit;
};

struct BreakerQuery {
    std::size_t limit = kDefaultListLimit;
    BreakerFilter filter;
};

struct PortQuery {
    std::size_t limit = kDefaultListLimit;
    PortFilter filter;
};

struct ListenerQuery {
    std::size_t limit = kDefaultListLimit;
    ListenerFilter filter;
};

struct ReadyQuery {
    std::uint32_t netns = 0; ///< inode number; 0: any
};

struct ExplainQuery {
    std::size_t limit = kDefaultListLimit;
    Endpoint destination;
    std::optional<std::string> from; ///< a cgroup's path, "/" or "/a/b"; none: any consumer
};

/// Bytes of a cgroup's path, as long as a path may be.
constexpr std::size_t kMaxCgroupPath = 4'095;

Result<HealthQuery> parse_health_query(const QueryPairs& pairs);
Result<FlowQuery> parse_flow_query(const QueryPairs& pairs);
Result<LimitQuery> parse_limit_query(const QueryPairs& pairs);
Result<BreakerQuery> parse_breaker_query(const QueryPairs& pairs);
Result<PortQuery> parse_port_query(const QueryPairs& pairs);
Result<ListenerQuery> parse_listener_query(const QueryPairs& pairs);
Result<ReadyQuery> parse_ready_query(const QueryPairs& pairs);

/// `since` is a time (RFC 3339) or an id, which is what a number is.
Result<FindingQuery> parse_finding_query(const QueryPairs& pairs);

/// `full=true` or `full=false`, the default.
Result<SweepExtent> parse_sweep_query(const QueryPairs& pairs);

/// Fails too where `destination` is not given.
Result<ExplainQuery> parse_explain_query(const QueryPairs& pairs);

/// For paths that take no parameter at all.
Result<void> parse_empty_query(const QueryPairs& pairs);

} // namespace ballast::api
