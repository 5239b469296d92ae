// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/query.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <string_view>

#include <fmt/ranges.h>

#include "daemon/model/state_names.h"
#include "daemon/util/quote.h"
#include "daemon/util/wall_time.h"

namespace ballast::api {
namespace {

struct Parameter {
    std::string_view name;
    std::function<Result<void>(const std::string&)> set;
};
using Parameters = std::vector<Parameter>;

std::string known_names(const Parameters& known) {
    if (known.empty())
        return "this path takes none";
    std::string text = "known:";
    for (const Parameter& parameter : known)
        text += fmt::format(" {}", parameter.name);
    return text;
}

Result<void> set_all(const Parameters& known, const QueryPairs& pairs) {
    std::set<std::string_view> seen;
    for (const auto& [name, value] : pairs) {
        const auto found = std::find_if(known.begin(), known.end(),
                                        [&n = name](const Parameter& p) { return p.name == n; });
        if (found == known.end())
            return fail(Error(fmt::format("unknown parameter {}", ballast::in_quotes(name)))
                            .hint(known_names(known)));
        if (!seen.insert(found->name).second)
            return fail(
                Error(fmt::format("parameter {} is given twice", ballast::in_quotes(name))));
        if (auto set = found->set(value); !set)
            return fail(set.error().context(fmt::format("parameter {}", ballast::in_quotes(name))));
    }
    return {};
}

/// Assigns what a parser returned, or passes its failure on.
template <typename To, typename From>
Result<void> assign(To& to, Result<From> from) {
    if (!from)
        return fail(from.error());
    to = std::move(*from);
    return {};
}

Result<std::size_t> parse_limit(const std::string& text) {
    std::size_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || value < 1 || value > kMaxListLimit)
        return fail(Error(fmt::format("{} is not a number from 1 to {}", ballast::in_quotes(text),
                                      kMaxListLimit)));
    return value;
}

Result<std::string> parse_service(const std::string& text) {
    if (text.empty())
        return fail(Error("the name is empty"));
    return text;
}

Result<HealthState> parse_health_state(const std::string& text) {
    if (const auto state = health_state_named(text))
        return *state;
    std::string known = "known:";
    for (std::size_t i = 0; i < kHealthStates; ++i)
        known += fmt::format(" {}", ballast::in_quotes(name_of(static_cast<HealthState>(i))));
    return fail(Error(fmt::format("{} is not a state", ballast::in_quotes(text))).hint(known));
}

Result<Direction> parse_direction(const std::string& text) {
    if (const auto direction = direction_named(text))
        return *direction;
    return fail(Error(fmt::format("{} is neither outbound nor inbound", ballast::in_quotes(text))));
}

Result<BreakerState> parse_breaker_state(const std::string& text) {
    if (const auto state = breaker_state_named(text))
        return *state;
    return fail(Error(fmt::format("{} is not a state", ballast::in_quotes(text)))
                    .hint(fmt::format("known: {}", fmt::join(kBreakerStateNames, ", "))));
}

Result<PortState> parse_port_state(const std::string& text) {
    if (const auto state = port_state_named(text))
        return *state;
    return fail(Error(fmt::format("{} is not a state", ballast::in_quotes(text)))
                    .hint(fmt::format("known: {}", fmt::join(kPortStateNames, ", "))));
}

Result<ListenerState> parse_listener_state(const std::string& text) {
    if (const auto state = listener_state_named(text))
        return *state;
    return fail(Error(fmt::format("{} is not a state", ballast::in_quotes(text)))
                    .hint(fmt::format("known: {}", fmt::join(kListenerStateNames, ", "))));
}

Result<findings::Reason> parse_reason(const std::string& text) {
    if (const auto reason = findings::reason_named(text))
        return *reason;
    std::string known = "known:";
    for (const auto& row : findings::kReasons)
        known += fmt::format(" {}", row.code);
    return fail(Error(fmt::format("{} is not a reason", ballast::in_quotes(text))).hint(known));
}

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

Result<std::uint32_t> parse_inode(const std::string& text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number == 0)
        return fail(Error(fmt::format("{} is not an inode number", ballast::in_quotes(text)))
                        .hint("as `stat -L -c %i /proc/PID/ns/net` prints it"));
    return number;
}

Result<std::uint64_t> parse_id(const std::string& text) {
    std::int64_t id = 0;
    const char* end = text.data() + text.size();
    if (std::from_chars(text.data(), end, id).ec != std::errc())
        return fail(Error(fmt::format("{} is too large an id", ballast::in_quotes(text))));
    return static_cast<std::uint64_t>(id);
}

Result<void> set_since(FindingQuery& query, const std::string& text) {
    if (is_number(text))
        return assign(query.after, parse_id(text));
    const auto time = parse_rfc3339(text);
    if (!time)
        return fail(time.error().hint("or the id of a finding"));
    query.since = *time;
    return {};
}

Result<void> set_destination(FindingQuery& query, const std::string& text) {
    const auto filter = parse_endpoint_filter(text);
    if (!filter)
        return fail(filter.error());
    query.destination = filter->prefix;
    query.port = filter->port;
    return {};
}

Result<std::string> parse_cgroup(const std::string& text) {
    const bool ends = text.size() > 1 && text.ends_with('/');
    if (!text.starts_with('/') || ends || text.size() > kMaxCgroupPath)
        return fail(Error(fmt::format("{} is not a cgroup's path", ballast::in_quotes(text)))
                        .hint("as in /proc/PID/cgroup: /system.slice/orders.service"));
    return text;
}

Result<SweepExtent> parse_extent(const std::string& text) {
    if (text == "true")
        return SweepExtent::full;
    if (text == "false")
        return SweepExtent::paced;
    return fail(Error(fmt::format("{} is neither true nor false", ballast::in_quotes(text))));
}

Parameter limit_parameter(std::size_t& limit) {
    return {"limit", [&limit](const std::string& t) { return assign(limit, parse_limit(t)); }};
}

template <typename Filter>
Parameters common_parameters(std::size_t& limit, Filter& filter) {
    return {
        limit_parameter(limit),
        {"dest",
         [&filter](const std::string& t) { return assign(filter.dest, parse_endpoint_filter(t)); }},
        {"service",
         [&filter](const std::string& t) { return assign(filter.service, parse_service(t)); }}};
}

} // namespace

Result<HealthQuery> parse_health_query(const QueryPairs& pairs) {
    HealthQuery query;
    HealthFilter& filter = query.filter;
    Parameters known = common_parameters(query.limit, filter);
    known.push_back({"state", [&filter](const std::string& t) {
                         return assign(filter.state, parse_health_state(t));
                     }});
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<FlowQuery> parse_flow_query(const QueryPairs& pairs) {
    FlowQuery query;
    FlowFilter& filter = query.filter;
    Parameters known = common_parameters(query.limit, filter);
    known.push_back({"local", [&filter](const std::string& t) {
                         return assign(filter.local, parse_endpoint_filter(t));
                     }});
    known.push_back({"state", [&filter](const std::string& t) {
                         return assign(filter.state, parse_flow_state(t));
                     }});
    known.push_back({"direction", [&filter](const std::string& t) {
                         return assign(filter.direction, parse_direction(t));
                     }});
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<LimitQuery> parse_limit_query(const QueryPairs& pairs) {
    LimitQuery query;
    if (auto applied = set_all({limit_parameter(query.limit)}, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<BreakerQuery> parse_breaker_query(const QueryPairs& pairs) {
    BreakerQuery query;
    BreakerFilter& filter = query.filter;
    Parameters known = common_parameters(query.limit, filter);
    known.push_back({"state", [&filter](const std::string& t) {
                         return assign(filter.state, parse_breaker_state(t));
                     }});
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<PortQuery> parse_port_query(const QueryPairs& pairs) {
    PortQuery query;
    PortFilter& filter = query.filter;
    const Parameters known{
        limit_parameter(query.limit),
        {"dest",
         [&filter](const std::string& t) { return assign(filter.dest, parse_endpoint_filter(t)); }},
        {"source",
         [&filter](const std::string& t) {
             return assign(filter.source, parse_endpoint_filter(t));
         }},
        {"state",
         [&filter](const std::string& t) { return assign(filter.state, parse_port_state(t)); }}};
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<ListenerQuery> parse_listener_query(const QueryPairs& pairs) {
    ListenerQuery query;
    ListenerFilter& filter = query.filter;
    const Parameters known{limit_parameter(query.limit),
                           {"local",
                            [&filter](const std::string& t) {
                                return assign(filter.local, parse_endpoint_filter(t));
                            }},
                           {"state", [&filter](const std::string& t) {
                                return assign(filter.state, parse_listener_state(t));
                            }}};
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<ReadyQuery> parse_ready_query(const QueryPairs& pairs) {
    ReadyQuery query;
    const Parameters known{
        {"netns", [&query](const std::string& t) { return assign(query.netns, parse_inode(t)); }}};
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<FindingQuery> parse_finding_query(const QueryPairs& pairs) {
    FindingQuery query;
    query.limit = kDefaultListLimit;
    const Parameters known{
        limit_parameter(query.limit),
        {"since", [&query](const std::string& t) { return set_since(query, t); }},
        {"destination", [&query](const std::string& t) { return set_destination(query, t); }},
        {"reason",
         [&query](const std::string& t) { return assign(query.reason, parse_reason(t)); }}};
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return query;
}

Result<ExplainQuery> parse_explain_query(const QueryPairs& pairs) {
    ExplainQuery query;
    const Parameters known{
        limit_parameter(query.limit),
        {"destination",
         [&query](const std::string& t) { return assign(query.destination, parse_endpoint(t)); }},
        {"from", [&query](const std::string& t) { return assign(query.from, parse_cgroup(t)); }}};
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    if (query.destination.port == 0) // what was parsed has a port
        return fail(Error("parameter \"destination\" is missing")
                        .hint("an endpoint, ADDRESS:PORT, as in ?destination=10.0.0.5:5432"));
    return query;
}

Result<SweepExtent> parse_sweep_query(const QueryPairs& pairs) {
    SweepExtent extent = SweepExtent::paced;
    const Parameters known{
        {"full", [&extent](const std::string& t) { return assign(extent, parse_extent(t)); }}};
    if (auto applied = set_all(known, pairs); !applied)
        return fail(applied.error());
    return extent;
}

Result<void> parse_empty_query(const QueryPairs& pairs) {
    return set_all({}, pairs);
}

} // namespace ballast::api
