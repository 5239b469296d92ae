// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/handlers.h"

#include <algorithm>
#include <utility>

#include <unistd.h>

#include "daemon/api/breaker_body.h"
#include "daemon/api/breakers.h"
#include "daemon/api/json.h"
#include "daemon/api/override_body.h"
#include "daemon/util/quote.h"

namespace ballast::api {
namespace {

Response accepted(const Json& json) {
    Response response;
    response.body = text_of(json);
    return response;
}

/// The target as it is stored: an endpoint in its canonical text, or the name of a service that the
/// policy in force knows.
Result<std::string> resolve_target(std::string_view target, Backend& backend) {
    if (const auto endpoint = parse_endpoint(target))
        return endpoint->text();
    const auto services = backend.services();
    if (std::any_of(services.begin(), services.end(),
                    [&](const Service& service) { return service.name == target; }))
        return std::string(target);
    return fail(Error(fmt::format("{} is neither a service of the policy in force nor an endpoint",
                                  ballast::in_quotes(target)))
                    .hint("`ballast limit list` shows the services; an endpoint is ADDRESS:PORT"));
}

/// An override may outlive its service, so any spelling that was stored can be removed.
std::string stored_target(std::string_view target) {
    const auto endpoint = parse_endpoint(target);
    return endpoint ? endpoint->text() : std::string(target);
}

/// Carries out an order; answers with it and the breakers that it applies to.
Response carry_out(const BreakerOrder& order, Backend& backend) {
    if (auto forced = backend.force_breaker(order); !forced)
        return error_response(503, "not_done", forced.error());
    auto rows = backend.breakers();
    std::erase_if(rows, [&](const BreakerRow& row) { return row.endpoint != order.endpoint; });
    sort_breakers(rows);
    Json json = envelope("breaker_order");
    json["order"] = encode_order(order);
    json["breakers"] = Json::array();
    for (const BreakerRow& row : rows)
        json["breakers"].push_back(encode_breaker(row));
    return accepted(json);
}

bool governed(const Endpoint& endpoint, Backend& backend) {
    return std::ranges::any_of(backend.destinations(),
                               [&](const DestinationRow& row) { return row.endpoint == endpoint; });
}

bool forced(const Endpoint& endpoint, Backend& backend) {
    return std::ranges::any_of(backend.breakers(), [&](const BreakerRow& row) {
        return row.endpoint == endpoint && row.forced != BreakerForce::none;
    });
}

/// A sweep of a million sockets takes about a second.
constexpr std::chrono::seconds kPatienceForSweep{60};
/// A change of policy is answered once all connections are counted by it, where that is no longer.
constexpr std::chrono::seconds kPatienceForCounts{10};

Response sweep_answer(Backend& backend, std::uint64_t number) {
    const auto outcome = backend.sweep_outcome(number);
    if (!outcome)
        return error_response(
            503, "sweep_failed",
            Error(fmt::format("the sweep has not ended after {} s", kPatienceForSweep.count())));
    if (!*outcome)
        return error_response(503, "sweep_failed", outcome->error());
    Json json = envelope("sweep");
    json["sockets"] = backend.status().sweep.sockets;
    return accepted(json);
}

/// The answer to a change of policy, sent once what there is was counted by it, where that does not
/// take long.
Response once_counted(Backend& backend, Response response) {
    const std::uint64_t number = backend.count_to_await();
    response.later = std::make_shared<const Later>(
        Later{.is_over = [&backend, number] { return backend.is_counted(number); },
              .patience = kPatienceForCounts,
              .answer = [as_it_is = response] { return as_it_is; }});
    return response;
}

} // namespace

Response put_limit(const Request& request, const Context& context) {
    auto wanted = parse_override_body(request.body, context.now);
    if (!wanted)
        return error_response(400, "bad_body", wanted.error());
    auto target = resolve_target(context.target, context.backend);
    if (!target)
        return error_response(404, "no_such_target", target.error());

    wanted->target = std::move(*target);
    wanted->set_by = request.peer;
    wanted->set_at = context.now;
    if (auto put = context.backend.put_override(*wanted); !put)
        return error_response(503, "not_stored", put.error());
    Json json = envelope("override");
    json["override"] = encode_override(*wanted, context.now);
    return once_counted(context.backend, accepted(json));
}

Response delete_limit(const Request&, const Context& context) {
    const std::string target = stored_target(context.target);
    const auto removed = context.backend.remove_override(target);
    if (!removed)
        return error_response(503, "not_removed", removed.error());
    if (!*removed)
        return error_response(
            404, "no_such_override",
            Error(fmt::format("no override is set for {}", ballast::in_quotes(target)))
                .hint("`ballast limit list` shows the overrides"));
    Json json = envelope("override_removed");
    json["target"] = target;
    return once_counted(context.backend, accepted(json));
}

Response put_breaker(const Request& request, const Context& context) {
    auto order = parse_breaker_body(request.body);
    if (!order)
        return error_response(400, "bad_body", order.error());
    const auto endpoint = parse_endpoint(context.target);
    if (!endpoint)
        return error_response(400, "bad_parameter", endpoint.error());
    if (!governed(*endpoint, context.backend))
        return error_response(
            404, "no_such_destination",
            Error(fmt::format("{} is not among the governed destinations", endpoint->text()))
                .hint("one is known from its first connect() on; `ballast health` lists them"));
    order->endpoint = *endpoint;
    order->by = request.peer;
    return carry_out(*order, context.backend);
}

Response delete_breaker(const Request& request, const Context& context) {
    const auto endpoint = parse_endpoint(context.target);
    if (!endpoint)
        return error_response(400, "bad_parameter", endpoint.error());
    if (!forced(*endpoint, context.backend))
        return error_response(404, "not_forced",
                              Error(fmt::format("no breaker of {} is forced", endpoint->text()))
                                  .hint("`ballast breaker list` shows which are"));
    BreakerOrder order;
    order.endpoint = *endpoint;
    order.by = request.peer;
    return carry_out(order, context.backend);
}

Response post_reload(const Request&, const Context& context) {
    if (auto reloaded = context.backend.reload(); !reloaded)
        return error_response(409, "policy_refused",
                              reloaded.error().context("the running policy stays in force"));
    Json json = envelope("reload");
    json["policy_generation"] = context.backend.status().policy_generation;
    return once_counted(context.backend, accepted(json));
}

Response post_sweep(const Request& request, const Context& context) {
    const auto extent = parse_sweep_query(request.query);
    if (!extent)
        return error_response(400, "bad_parameter", extent.error());
    const std::uint64_t number = context.backend.ask_for_sweep(*extent);
    Response response;
    response.later = std::make_shared<const Later>(Later{
        .is_over = [&backend = context.backend,
                    number] { return backend.sweep_outcome(number).has_value(); },
        .patience = kPatienceForSweep,
        .answer = [&backend = context.backend, number] { return sweep_answer(backend, number); }});
    return response;
}

Response post_stop(const Request&, const Context&) {
    Json json = envelope("stop");
    json["pid"] = ::getpid();
    Response response = accepted(json);
    response.then_stop = true;
    return response;
}

} // namespace ballast::api
