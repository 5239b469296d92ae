// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/overrides.h"

#include <algorithm>
#include <ctime>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include <fmt/chrono.h>

#include "daemon/model/explain.h"
#include "daemon/model/prefix_rules.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

/// "override by alice at 2031-05-04T10:00:00Z".
std::string origin_of(const Override& change) {
    const std::time_t at = std::chrono::system_clock::to_time_t(change.set_at);
    std::tm utc{};
    gmtime_r(&at, &utc);
    return fmt::format("override by {} at {:%FT%TZ}", change.set_by, utc);
}

void change(Service& service, const Override& wanted) {
    const auto limit = [](std::optional<std::uint32_t>& into,
                          const std::optional<std::uint32_t>& from) {
        if (from)
            into = from;
    };
    limit(service.max_connections, wanted.max_connections);
    limit(service.max_connections_total, wanted.max_connections_total);
    limit(service.max_per_consumer, wanted.max_per_consumer);
    limit(service.max_connect_rate, wanted.max_connect_rate);
    service.burst = wanted.burst.value_or(service.burst);
    service.mode = wanted.mode.value_or(service.mode);
    if (wanted.mode == Mode::off)
        service.breaker.mode = service.half_open.mode = service.keepalive.mode = Mode::off;
    service.on_limit = wanted.on_limit.value_or(service.on_limit);
}

/// `target` without the one port of `hole`; both have the same prefix.
std::vector<Target> without(const Target& target, const Target& hole) {
    std::vector<Target> rest;
    const std::uint16_t port = hole.port_first;
    if (target.port_first < port)
        rest.push_back({target.prefix, target.port_first, static_cast<std::uint16_t>(port - 1)});
    if (port < target.port_last)
        rest.push_back({target.prefix, static_cast<std::uint16_t>(port + 1), target.port_last});
    return rest;
}

/// The targets that a service had before one was taken from it.
struct Before {
    std::size_t service;
    std::vector<Target> to;
};

/// True for a range that must give way to `endpoint`; any-port does so by itself.
bool holds(const Target& range, const Target& endpoint) {
    return range.prefix == endpoint.prefix && !range.any_port() &&
           range.port_first <= endpoint.port_first && endpoint.port_first <= range.port_last;
}

/// Takes the endpoint out of all ranges; returns what it changed.
std::vector<Before> make_room(Policy& policy, const Target& endpoint) {
    std::vector<Before> changed;
    for (std::size_t i = 0; i < policy.services.size(); ++i) {
        std::vector<Target>& to = policy.services[i].to;
        if (std::none_of(to.begin(), to.end(), [&](const Target& t) { return holds(t, endpoint); }))
            continue;
        changed.push_back({i, std::exchange(to, {})});
        for (const Target& target : changed.back().to) {
            const auto rest =
                holds(target, endpoint) ? without(target, endpoint) : std::vector<Target>{target};
            to.insert(to.end(), rest.begin(), rest.end());
        }
    }
    return changed;
}

std::size_t count_targets(const Policy& policy) {
    return std::accumulate(policy.services.begin(), policy.services.end(), std::size_t{0},
                           [](std::size_t sum, const Service& service) {
                               return sum + service.to.size() + service.to_names.size();
                           });
}

std::size_t count_ranges(const Policy& policy, const Prefix& prefix) {
    std::set<std::pair<std::uint16_t, std::uint16_t>> ranges;
    for (const Service& service : policy.services)
        for (const Target& target : service.to)
            if (target.prefix == prefix && !target.any_port())
                ranges.emplace(target.port_first, target.port_last);
    return ranges.size();
}

/// The first limit that `policy` breaks, given that it broke none before `endpoint` was added.
std::optional<std::string> broken_limit(const Policy& policy, const Target& endpoint) {
    if (policy.services.size() > kMaxServices)
        return fmt::format("there are {} services already", kMaxServices);
    if (count_targets(policy) > kMaxTargets)
        return fmt::format("there are {} targets already", kMaxTargets);
    if (count_ranges(policy, endpoint.prefix) > kMaxPortRanges ||
        rules_at(policy, endpoint.prefix).rules.front().spans.size() > kMaxPortSpans)
        return fmt::format("{} has too many port ranges already", endpoint.prefix.text());
    return std::nullopt;
}

/// A contradiction between the limits of a service, changed already; none if they fit.
std::optional<std::string> contradiction(const Service& service) {
    const auto& max = service.max_connections;
    const auto& total = service.max_connections_total;
    if (max && total && *total < *max)
        return fmt::format("max_connections_total {} would be below max_connections, {}", *total,
                           *max);
    if (service.burst != 0 && !service.max_connect_rate)
        return fmt::format("burst {} needs a max_connect_rate", service.burst);
    return std::nullopt;
}

/// An endpoint's settings before an override names it: all those of the service that governs it
/// now, since a limit is no reason to treat its connections differently otherwise.
Service start_from(const Policy& policy, const Explanation& explained) {
    Service start;
    start.mode = policy.mode(GuardKind::limit);
    start.breaker.mode = policy.mode(GuardKind::breaker);
    start.half_open.mode = policy.mode(GuardKind::half_open);
    start.keepalive.mode = policy.mode(GuardKind::keepalive);
    start.ports = policy.ports;
    start.ports.mode = policy.mode(GuardKind::ports);
    if (!explained.governing)
        return start;
    start = policy.services.at(explained.targets.at(*explained.governing).service);
    start.to_names.clear();
    start.resolved.clear();
    start.from.clear();
    return start;
}

/// A service of the endpoint is for everyone: it would take away what other consumers are under.
std::optional<std::string> whose_rules_it_would_end(const Policy& policy,
                                                    const Explanation& explained) {
    for (const auto& target : explained.targets)
        if (target.applies == Applies::to_its_consumers) {
            const std::string& name = policy.services.at(target.service).name;
            return fmt::format(
                "connections from {} to it are governed by {}; set the limit of that "
                "service, by its name",
                target.from, name);
        }
    return std::nullopt;
}

/// Adds the service of an endpoint override; nothing is changed where a reason not to is returned.
std::optional<std::string> add_endpoint(Policy& policy, const Override& wanted,
                                        const Endpoint& endpoint) {
    const Target target{{endpoint.address, 128}, endpoint.port, endpoint.port};
    const Explanation explained = explain(policy, endpoint, std::nullopt);
    if (auto whose = whose_rules_it_would_end(policy, explained))
        return whose;
    Service added = start_from(policy, explained);
    added.name = endpoint.text();
    added.to = {target};
    added.origin = origin_of(wanted);
    change(added, wanted);
    if (auto wrong = contradiction(added))
        return wrong;
    std::vector<Before> changed = make_room(policy, target);
    policy.services.push_back(std::move(added));
    auto broken = broken_limit(policy, target);
    if (broken) {
        policy.services.pop_back();
        for (Before& before : changed)
            policy.services[before.service].to = std::move(before.to);
    }
    return broken;
}

/// Why no policy at all could take the override.
std::optional<std::string> wrong_in_itself(const Override& wanted) {
    struct Bound {
        const char* key;
        const std::optional<std::uint32_t>& value;
        std::uint32_t max;
    };
    for (const Bound& bound :
         {Bound{"max_connections", wanted.max_connections, kMaxConnections},
          Bound{"max_connections_total", wanted.max_connections_total, kMaxConnections},
          Bound{"max_per_consumer", wanted.max_per_consumer, kMaxConnections},
          Bound{"max_connect_rate", wanted.max_connect_rate, kMaxConnectRate},
          Bound{"burst", wanted.burst, kMaxConnectRate}})
        if (bound.value && (*bound.value < 1 || *bound.value > bound.max))
            return fmt::format("{} {} is not in 1..{}", bound.key, *bound.value, bound.max);
    if (wanted.changes_nothing())
        return "it changes nothing";
    return std::nullopt;
}

/// Nothing where the override is in force, otherwise the reason why not.
std::optional<std::string> apply(Policy& policy, const Override& wanted) {
    if (auto wrong = wrong_in_itself(wanted))
        return wrong;
    const auto endpoint = parse_endpoint(wanted.target);
    const std::string name = endpoint ? endpoint->text() : wanted.target;
    const auto named = std::find_if(policy.services.begin(), policy.services.end(),
                                    [&](const Service& s) { return s.name == name; });
    if (named == policy.services.end())
        return endpoint ? add_endpoint(policy, wanted, *endpoint)
                        : std::optional<std::string>("the policy has no service of that name");
    Service changed = *named;
    change(changed, wanted);
    if (auto wrong = contradiction(changed))
        return wrong;
    changed.origin += ", " + origin_of(wanted);
    *named = std::move(changed);
    return std::nullopt;
}

} // namespace

MergedPolicy apply_overrides(Policy policy, const std::vector<Override>& overrides) {
    MergedPolicy merged{std::move(policy), {}};
    for (const Override& wanted : overrides)
        if (const auto reason = apply(merged.policy, wanted))
            merged.skipped.push_back(
                {wanted.target, fmt::format("{} of {} is not in force: {}", origin_of(wanted),
                                            in_quotes(wanted.target), *reason)});
    return merged;
}

} // namespace ballast
