// SPDX-License-Identifier: Apache-2.0
// Every path the server answers, as one table, and the way from a request to its answer.
//
// Statuses: 200; 400 bad parameter or body; 403 a write that did not come over control.sock;
// 404 no such path, target or override; 405 method unknown to the path; 409 the policy file was
// refused; 413 body too big; 503 the daemon could not do it now.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "daemon/api/backend.h"
#include "daemon/api/message.h"

namespace ballast::api {

/// A handler's inputs. `target` is the part of the path that "{...}" stands for.
struct Context {
    Backend& backend;
    WallTime now;
    std::string_view target;
};

struct Route {
    std::string_view method;
    std::string_view path; ///< as in docs/openapi.json; only its last part may be "{NAME}"
    bool writes;           ///< served on control.sock alone
    bool has_parameters;   ///< false: a query is refused
    Response (*handle)(const Request&, const Context&);
};

std::span<const Route> routes();

/// Never throws; whatever goes wrong becomes an error answer.
Response answer(const Request& request, Backend& backend, WallTime now);

} // namespace ballast::api
