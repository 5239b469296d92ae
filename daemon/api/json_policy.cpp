// SPDX-License-Identifier: Apache-2.0
// The policy in force and what was set on top of it.
#include "daemon/api/json.h"

#include <span>

#include "daemon/api/json_values.h"
#include "daemon/model/names.h"
#include "daemon/model/state_names.h"

namespace ballast::api {
namespace {

/// Names go first: people wrote them, and what they resolve to is among the targets.
Json encode_targets(const Service& service) {
    Json to = Json::array();
    for (const NamedTarget& target : service.to_names)
        to.push_back(target.text());
    for (const Target& target : service.to)
        to.push_back(target.text());
    return to;
}

/// The elements of `to` that are there because a name has that address.
Json encode_resolved(const Service& service) {
    Json rows = Json::array();
    for (const ResolvedTarget& row : service.resolved)
        rows.push_back({{"target", row.target.text()}, {"name", row.host}});
    return rows;
}

/// Null where no rate is set; 0 stands for as many as the rate has in a second.
Json encode_burst(const Service& service) {
    if (!service.max_connect_rate)
        return nullptr;
    return service.burst == 0 ? *service.max_connect_rate : service.burst;
}

Json encode_settings(const Breaker& breaker) {
    return {{"mode", name_of(breaker.mode)},
            {"window_ms", breaker.window.count()},
            {"thresholds", encode_by_failure(breaker.thresholds)},
            {"failure_percent", breaker.failure_percent},
            {"slow_connect_ms", nonzero_or_null(breaker.slow_connect)},
            {"reset_within_ms", nonzero_or_null(breaker.reset_within)},
            {"open_for_ms", breaker.open_for.count()},
            {"open_max_ms", breaker.open_max.count()},
            {"probes", breaker.probes},
            {"ramp_ms", breaker.ramp.count()},
            {"ramp_start_percent", breaker.ramp_start}};
}

/// Those of `names` whose enumerators are in the set.
template <typename Enum>
Json encode_set(const EnumSet<Enum>& set, std::span<const std::string_view> names) {
    Json chosen = Json::array();
    for (std::size_t i = 0; i < names.size(); ++i)
        if (set.has(static_cast<Enum>(i)))
            chosen.push_back(names[i]);
    return chosen;
}

Json encode_settings(const HalfOpen& half_open) {
    return {{"mode", name_of(half_open.mode)},
            {"action", name_of(half_open.action)},
            {"reset_kinds", encode_set(half_open.reset_kinds,
                                       std::span(kHalfOpenKindNames).first(kResettableKinds))},
            {"path_down_after_ms", half_open.path_down_after.count()},
            {"confirm_retransmits", half_open.confirm_retransmits},
            {"response_timeout_ms", nonzero_or_null(half_open.response_timeout)},
            {"witness", name_of(half_open.witness)}};
}

/// Null where another kind leaves a number without meaning.
Json encode_settings(const KeepaliveRule& rule) {
    const bool is_auto = rule.kind == KeepaliveKind::automatic;
    const bool is_fixed = rule.kind == KeepaliveKind::fixed;
    const auto number = [](bool has_meaning, auto value) {
        return has_meaning ? Json(value) : Json(nullptr);
    };
    return {{"mode", name_of(rule.mode)},
            {"kind", name_of(rule.kind)},
            {"start_s", number(is_auto, rule.start.count())},
            {"idle_s", number(is_fixed, rule.idle.count())},
            {"interval_s", number(is_fixed, rule.interval.count())},
            {"count", number(is_fixed, rule.count)},
            {"learn_prefix_ipv4", number(is_auto, rule.learn_prefix.ipv4)},
            {"learn_prefix_ipv6", number(is_auto, rule.learn_prefix.ipv6)}};
}

Json encode_settings(const PortRule& rule) {
    Json pool = Json::array();
    for (const Address& source : rule.source_pool)
        pool.push_back(source.text());
    return {{"mode", name_of(rule.mode)},
            {"relief", encode_set(rule.relief, kReliefNames)},
            {"source_pool", pool}};
}

} // namespace

Json encode_service(const Service& service) {
    Json json;
    json["service"] = service.name;
    json["to"] = encode_targets(service);
    json["resolved"] = encode_resolved(service);
    json["from"] = service.from;
    json["max_connections"] = or_null(service.max_connections);
    json["max_connections_total"] = or_null(service.max_connections_total);
    json["max_per_consumer"] = or_null(service.max_per_consumer);
    json["max_connect_rate"] = or_null(service.max_connect_rate);
    json["burst"] = encode_burst(service);
    json["connect_timeout_ms"] = nonzero_or_null(service.connect_timeout);
    json["mode"] = name_of(service.mode);
    json["on_limit"] = name_of(service.on_limit);
    json["breaker"] = encode_settings(service.breaker);
    json["half_open"] = encode_settings(service.half_open);
    json["keepalive"] = encode_settings(service.keepalive);
    json["ports"] = encode_settings(service.ports);
    json["origin"] = service.origin;
    return json;
}

Json encode_override(const Override& row, WallTime now) {
    Json json;
    json["target"] = row.target;
    json["max_connections"] = or_null(row.max_connections);
    json["max_connections_total"] = or_null(row.max_connections_total);
    json["max_per_consumer"] = or_null(row.max_per_consumer);
    json["max_connect_rate"] = or_null(row.max_connect_rate);
    json["burst"] = or_null(row.burst);
    json["mode"] = row.mode ? Json(name_of(*row.mode)) : Json(nullptr);
    json["on_limit"] = row.on_limit ? Json(name_of(*row.on_limit)) : Json(nullptr);
    json["set_by"] = row.set_by;
    json["set_at"] = rfc3339(row.set_at);
    json["expires_at"] = row.expires_at ? Json(rfc3339(*row.expires_at)) : Json(nullptr);
    json["expires_in_ms"] =
        row.expires_at ? Json(milliseconds_between(now, *row.expires_at)) : Json(nullptr);
    return json;
}

Json encode_explained(const ExplainedTarget& row, const Service& service) {
    return {{"target", row.target.text()},     {"name", or_null(row.name)},
            {"service", service.name},         {"from", or_null(row.from)},
            {"applies", name_of(row.applies)}, {"reason", row.reason},
            {"mode", name_of(service.mode)},   {"breaker_mode", name_of(service.breaker.mode)},
            {"origin", service.origin}};
}

} // namespace ballast::api
