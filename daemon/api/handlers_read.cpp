// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/handlers.h"

#include <algorithm>
#include <utility>

#include "daemon/api/breakers.h"
#include "daemon/api/json.h"
#include "daemon/api/json_values.h"
#include "daemon/api/list.h"
#include "daemon/api/metrics.h"
#include "daemon/api/openapi.h"

namespace ballast::api {
namespace {

Response ok(std::string body) {
    Response response;
    response.body = std::move(body);
    return response;
}

Response bad_request(const Error& error) {
    return error_response(400, "bad_parameter", error);
}

Json encode_counts(const std::vector<HealthRow>& rows) {
    const auto counts = count_states(rows);
    Json json = Json::object();
    for (std::size_t i = 0; i < counts.size(); ++i)
        json[std::string(name_of(static_cast<HealthState>(i)))] = counts.at(i);
    return json;
}

Json encode_breaker_counts(const BreakerCounts& counts) {
    Json json = Json::object();
    for (std::size_t i = 0; i < kBreakerStates; ++i)
        json[std::string(kBreakerStateNames.at(i))] = counts.states.at(i);
    return json;
}

/// Flows that are in trouble first: most retransmissions, then longest silence.
bool needs_attention_before(const FlowRow& a, const FlowRow& b) {
    return std::tie(b.retransmits, b.idle_ms, a.remote, a.local) <
           std::tie(a.retransmits, a.idle_ms, b.remote, b.local);
}

template <typename Rows, typename Encode>
std::string list_text(const Json& head, std::string_view key, const Rows& rows, std::size_t count,
                      Encode encode) {
    ListText text(head, key);
    for (std::size_t i = 0; i < count; ++i)
        text.add(encode(rows.at(i)));
    return text.finish();
}

} // namespace

Response get_status(const Request&, const Context& context) {
    const LimitTotals totals = total_limits(context.backend.destinations());
    const BreakerCounts breakers = count_breakers(context.backend.breakers());
    return ok(text_of(encode_status(context.backend.status(), totals, breakers, context.now)));
}

Response get_health(const Request& request, const Context& context) {
    const auto query = parse_health_query(request.query);
    if (!query)
        return bad_request(query.error());
    const auto destinations = context.backend.destinations();
    const auto peers = context.backend.peers();
    const auto breakers = context.backend.breakers();
    auto rows = join_health(destinations, peers, breakers);
    std::erase_if(rows, [&](const HealthRow& row) { return !query->filter.matches(row); });

    const std::size_t count = std::min(rows.size(), query->limit);
    Json head = list_envelope("health", rows.size(), count);
    head["armed"] = context.backend.status().armed;
    head["states"] = encode_counts(rows);
    return ok(list_text(head, "destinations", rows, count, encode_health));
}

Response get_flows(const Request& request, const Context& context) {
    const auto query = parse_flow_query(request.query);
    if (!query)
        return bad_request(query.error());
    FlowTable met = context.backend.flows();
    auto& flows = met.rows;
    std::erase_if(flows, [&](const FlowRow& row) { return !query->filter.matches(row); });

    const std::size_t count = std::min(flows.size(), query->limit);
    std::partial_sort(flows.begin(), flows.begin() + static_cast<std::ptrdiff_t>(count),
                      flows.end(), needs_attention_before);
    Json head = list_envelope("flows", flows.size(), count);
    head["age_ms"] = met.age ? Json(met.age->count()) : Json(nullptr);
    head["left_out"] = met.left_out;
    return ok(list_text(head, "flows", flows, count, encode_flow));
}

Response get_limits(const Request& request, const Context& context) {
    const auto query = parse_limit_query(request.query);
    if (!query)
        return bad_request(query.error());
    const auto services = context.backend.services();
    const auto overrides = context.backend.overrides();

    const std::size_t count = std::min(services.size(), query->limit);
    const std::size_t override_count = std::min(overrides.size(), query->limit);
    Json head = list_envelope("limits", services.size(), count);
    head["overrides_total"] = overrides.size();
    head["overrides_returned"] = override_count;
    head["overrides"] = Json::array();
    for (std::size_t i = 0; i < override_count; ++i)
        head["overrides"].push_back(encode_override(overrides.at(i), context.now));
    return ok(list_text(head, "limits", services, count, encode_service));
}

Response get_explain(const Request& request, const Context& context) {
    const auto query = parse_explain_query(request.query);
    if (!query)
        return bad_request(query.error());
    const auto found = context.backend.explain(query->destination, query->from);
    const auto services = context.backend.services();
    const auto service_of = [&](std::size_t row) -> const Service& {
        return services.at(found.targets.at(row).service);
    };

    const std::size_t count = std::min(found.targets.size(), query->limit);
    Json head = list_envelope("explain", found.targets.size(), count);
    head["destination"] = query->destination.text();
    head["from"] = or_null(query->from);
    head["governing"] = found.governing ? Json(service_of(*found.governing).name) : Json(nullptr);
    ListText text(head, "targets");
    for (std::size_t i = 0; i < count; ++i)
        text.add(encode_explained(found.targets.at(i), service_of(i)));
    return ok(text.finish());
}

Response get_breakers(const Request& request, const Context& context) {
    const auto query = parse_breaker_query(request.query);
    if (!query)
        return bad_request(query.error());
    auto rows = context.backend.breakers();
    std::erase_if(rows, [&](const BreakerRow& row) { return !query->filter.matches(row); });
    sort_breakers(rows);

    const std::size_t count = std::min(rows.size(), query->limit);
    const BreakerCounts counts = count_breakers(rows);
    Json head = list_envelope("breakers", rows.size(), count);
    head["armed"] = context.backend.status().armed;
    head["states"] = encode_breaker_counts(counts);
    head["forced"] = {{"open", counts.forced_open}, {"closed", counts.forced_closed}};
    return ok(list_text(head, "breakers", rows, count, encode_breaker));
}

Response get_ports(const Request& request, const Context& context) {
    const auto query = parse_port_query(request.query);
    if (!query)
        return bad_request(query.error());
    PortTable known = context.backend.ports();
    auto& rows = known.rows;
    std::erase_if(rows, [&](const PortRow& row) { return !query->filter.matches(row); });

    const std::size_t count = std::min(rows.size(), query->limit);
    Json head = list_envelope("ports", rows.size(), count);
    head["age_ms"] = known.age ? Json(known.age->count()) : Json(nullptr);
    head["states"] = encode_port_states(rows);
    head["counted"] = encode_ports(context.backend.status().ports);
    head["reliefs"] = Json::array();
    for (const auto& relief : known.reliefs)
        head["reliefs"].push_back(encode_relief(relief));
    return ok(list_text(head, "ports", rows, count, encode_port));
}

Response get_listeners(const Request& request, const Context& context) {
    const auto query = parse_listener_query(request.query);
    if (!query)
        return bad_request(query.error());
    ListenerTable known = context.backend.listeners();
    auto& rows = known.rows;
    std::erase_if(rows, [&](const ListenerRow& row) { return !query->filter.matches(row); });

    const std::size_t count = std::min(rows.size(), query->limit);
    Json head = list_envelope("listeners", rows.size(), count);
    head["age_ms"] = known.age ? Json(known.age->count()) : Json(nullptr);
    head["states"] = encode_listener_states(rows);
    const auto status = context.backend.status();
    head["watched"] = encode_listeners(status.listeners);
    head["shed"] = encode_shed(status.shed);
    return ok(list_text(head, "listeners", rows, count, encode_listener));
}

Response get_ready(const Request& request, const Context& context) {
    const auto query = parse_ready_query(request.query);
    if (!query)
        return bad_request(query.error());
    const auto endpoint = parse_endpoint(context.target);
    if (!endpoint)
        return bad_request(endpoint.error());
    const auto row = context.backend.ready(*endpoint, query->netns);
    Response response = ok(text_of(encode_ready(*endpoint, row)));
    if (!row || !row->is_ready)
        response.status = 503;
    return response;
}

Response get_findings(const Request& request, const Context& context) {
    const auto query = parse_finding_query(request.query);
    if (!query)
        return bad_request(query.error());
    const FindingPage page = context.backend.findings_of(*query);

    Json head = list_envelope("findings", page.total, page.rows.size());
    head["last_id"] = page.last_id;
    head["whole"] = page.is_whole;
    head["reasons"] = encode_reasons(page.rows);
    return ok(list_text(head, "findings", page.rows, page.rows.size(), encode_finding));
}

Response get_metrics(const Request&, const Context& context) {
    Response response = ok(metrics_text(context.backend.status(), context.backend.destinations(),
                                        context.backend.breakers()));
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
}

Response get_openapi(const Request&, const Context&) {
    return ok(std::string(openapi_text()));
}

} // namespace ballast::api
