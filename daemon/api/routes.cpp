// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/routes.h"

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/api/handlers.h"
#include "daemon/util/quote.h"

namespace ballast::api {
namespace {

constexpr std::array<Route, 20> kRoutes{{
    {"GET", "/v1/status", false, false, get_status},
    {"GET", "/v1/health", false, true, get_health},
    {"GET", "/v1/flows", false, true, get_flows},
    {"GET", "/v1/limits", false, true, get_limits},
    {"PUT", "/v1/limits/{target}", true, false, put_limit},
    {"DELETE", "/v1/limits/{target}", true, false, delete_limit},
    {"GET", "/v1/explain", false, true, get_explain},
    {"GET", "/v1/breakers", false, true, get_breakers},
    {"PUT", "/v1/breakers/{endpoint}", true, false, put_breaker},
    {"DELETE", "/v1/breakers/{endpoint}", true, false, delete_breaker},
    {"GET", "/v1/ports", false, true, get_ports},
    {"GET", "/v1/listeners", false, true, get_listeners},
    {"GET", "/v1/findings", false, true, get_findings},
    {"PUT", "/v1/paths/{endpoint}", true, false, put_path},
    {"POST", "/v1/reload", true, false, post_reload},
    {"POST", "/v1/sweep", true, true, post_sweep},
    {"POST", "/v1/stop", true, false, post_stop},
    {"GET", "/v1/openapi.json", false, false, get_openapi},
    {"GET", "/ready/{endpoint}", false, true, get_ready},
    {"GET", "/metrics", false, false, get_metrics},
}};

/// The value of "{...}" in `path`: empty for a route without one, none where `path` is
/// another's. It may hold slashes.
std::optional<std::string_view> match(const Route& route, std::string_view path) {
    const std::size_t brace = route.path.find('{');
    if (brace == std::string_view::npos)
        return route.path == path ? std::optional(std::string_view()) : std::nullopt;
    const auto stem = route.path.substr(0, brace);
    if (!path.starts_with(stem) || path.size() == stem.size())
        return std::nullopt;
    return path.substr(stem.size());
}

std::string methods_of(std::string_view path) {
    std::string allow;
    for (const Route& route : kRoutes)
        if (match(route, path))
            allow += fmt::format("{}{}", allow.empty() ? "" : ", ", route.method);
    return allow;
}

Response no_route(const Request& request) {
    const std::string allow = methods_of(request.path);
    if (allow.empty())
        return error_response(
            404, "no_such_path",
            Error(fmt::format("nothing is served at {}", ballast::in_quotes(request.path)))
                .hint("GET /v1/openapi.json describes every path"));
    Response response = error_response(
        405, "method_not_allowed",
        Error(fmt::format("{} is not a method of {}", printable(request.method), request.path))
            .hint(fmt::format("use {}", allow)));
    response.allow = allow;
    return response;
}

Response handle(const Route& route, const Request& request, const Context& context) {
    if (route.writes && !request.writable)
        return error_response(
            403, "read_only",
            Error("this socket is read only").hint("send writes to control.sock, as root"));
    if (request.body_too_big)
        return error_response(413, "body_too_big",
                              Error(fmt::format("the body is over {} bytes", kMaxBodyBytes)));
    if (!route.has_parameters)
        if (auto empty = parse_empty_query(request.query); !empty)
            return error_response(400, "bad_parameter", empty.error());
    return route.handle(request, context);
}

/// The result of `make`; an error answer if it throws.
Response caught(const std::function<Response()>& make) {
    try {
        return make();
    } catch (const std::exception& e) {
        return error_response(503, "internal", Error(fmt::format("unexpected: {}", e.what())));
    }
}

const Route* find_route(const Request& request) {
    std::string_view method = request.method;
    if (method == "HEAD")
        method = "GET"; // libmicrohttpd leaves the body out
    const auto* found = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& route) {
        return route.method == method && match(route, request.path);
    });
    return found == kRoutes.end() ? nullptr : found;
}

} // namespace

std::span<const Route> routes() {
    return kRoutes;
}

Response answer(const Request& request, Backend& backend, WallTime now) {
    const Route* route = find_route(request);
    if (route == nullptr)
        return no_route(request);
    Response response = caught([&] {
        return handle(*route, request, {backend, now, *match(*route, request.path)});
    });
    if (response.later)
        response.later = std::make_shared<const Later>(
            Later{.is_over = response.later->is_over,
                  .patience = response.later->patience,
                  .answer = [later = response.later] { return caught(later->answer); }});
    return response;
}

} // namespace ballast::api
