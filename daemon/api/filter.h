// SPDX-License-Identifier: Apache-2.0
// Which rows of a list a request wants. Pure; a field that is not set lets everything pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/model/health.h"
#include "daemon/model/snapshot.h"
#include "daemon/util/address.h"
#include "daemon/util/error.h"

namespace ballast::api {

/// An endpoint, an address or a prefix, as `dest=` and `local=` take it.
struct EndpointFilter {
    Prefix prefix;
    std::optional<std::uint16_t> port; ///< host byte order; none: any

    [[nodiscard]] bool matches(const Endpoint& endpoint) const;
};

/// "10.0.0.5:5432", "[2001:db8::5]:5432", "10.0.0.5", "2001:db8::5", "10.0.0.0/8".
Result<EndpointFilter> parse_endpoint_filter(std::string_view text);

struct HealthFilter {
    std::optional<EndpointFilter> dest;
    std::optional<std::string> service; ///< whole name
    std::optional<HealthState> state;

    [[nodiscard]] bool matches(const HealthRow& row) const;
};

struct FlowFilter {
    std::optional<EndpointFilter> dest; ///< the remote side
    std::optional<EndpointFilter> local;
    std::optional<std::string> service;
    std::optional<std::string> state; ///< as FlowRow has it, upper case
    std::optional<Direction> direction;

    [[nodiscard]] bool matches(const FlowRow& row) const;
};

struct BreakerFilter {
    std::optional<EndpointFilter> dest;
    std::optional<std::string> service; ///< whole name
    std::optional<BreakerState> state;

    [[nodiscard]] bool matches(const BreakerRow& row) const;
};

struct PortFilter {
    std::optional<EndpointFilter> dest;
    std::optional<EndpointFilter> source;
    std::optional<PortState> state;

    [[nodiscard]] bool matches(const PortRow& row) const;
};

struct ListenerFilter {
    std::optional<EndpointFilter> local;
    std::optional<ListenerState> state;

    [[nodiscard]] bool matches(const ListenerRow& row) const;
};

/// The name FlowRow uses for a TCP state, from any case of it; "established" and what `ss` takes
/// are understood too. Fails with the list of what is known.
Result<std::string> parse_flow_state(std::string_view text);

} // namespace ballast::api
