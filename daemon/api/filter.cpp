// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/filter.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/ranges.h>

#include "daemon/util/quote.h"

namespace ballast::api {
namespace {

constexpr std::array<std::string_view, 10> flow_states{
    "ESTAB",      "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",
    "CLOSE-WAIT", "LAST-ACK", "CLOSING",  "UNCONN",     "LISTEN"};

template <typename T, typename U>
bool wants(const std::optional<T>& wanted, const U& value) {
    return !wanted || *wanted == value;
}

bool wants(const std::optional<EndpointFilter>& wanted, const Endpoint& endpoint) {
    return !wanted || wanted->matches(endpoint);
}

} // namespace

bool EndpointFilter::matches(const Endpoint& endpoint) const {
    return (!port || *port == endpoint.port) && prefix.contains(endpoint.address);
}

Result<EndpointFilter> parse_endpoint_filter(std::string_view text) {
    if (const auto endpoint = parse_endpoint(text))
        return EndpointFilter{Prefix{endpoint->address, 128}, endpoint->port};
    if (const auto prefix = parse_prefix(text))
        return EndpointFilter{*prefix, std::nullopt};
    return fail(
        Error(fmt::format("{} is not an endpoint, address or prefix", ballast::in_quotes(text)))
            .hint("examples: 10.0.0.5:5432, [2001:db8::5]:5432, 10.0.0.5, 10.0.0.0/8"));
}

bool HealthFilter::matches(const HealthRow& row) const {
    return wants(dest, row.endpoint()) && wants(service, row.service()) && wants(state, row.state);
}

bool FlowFilter::matches(const FlowRow& row) const {
    return wants(dest, row.remote) && wants(local, row.local) && wants(service, row.service) &&
           wants(state, row.state) && wants(direction, row.direction);
}

bool BreakerFilter::matches(const BreakerRow& row) const {
    return wants(dest, row.endpoint) && wants(service, row.service) && wants(state, row.state);
}

bool PortFilter::matches(const PortRow& row) const {
    return wants(dest, row.key.remote) && wants(source, Endpoint{row.key.source, 0}) &&
           wants(state, row.state);
}

bool ListenerFilter::matches(const ListenerRow& row) const {
    return wants(local, row.local) && wants(state, row.state);
}

Result<std::string> parse_flow_state(std::string_view text) {
    std::string upper(text);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (upper == "ESTABLISHED")
        return "ESTAB";
    if (std::find(flow_states.begin(), flow_states.end(), upper) != flow_states.end())
        return upper;
    return fail(Error(fmt::format("{} is not a TCP state", ballast::in_quotes(text)))
                    .hint(fmt::format("known: {}", fmt::join(flow_states, ", "))));
}

} // namespace ballast::api
