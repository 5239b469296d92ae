// SPDX-License-Identifier: Apache-2.0
// The handlers of all routes. A handler validates, asks the backend and encodes; it knows no HTTP
// library.
#pragma once

#include "daemon/api/routes.h"

namespace ballast::api {

Response get_status(const Request& request, const Context& context);
Response get_health(const Request& request, const Context& context);
Response get_flows(const Request& request, const Context& context);
Response get_limits(const Request& request, const Context& context);
Response get_explain(const Request& request, const Context& context);
Response get_findings(const Request& request, const Context& context);
Response get_breakers(const Request& request, const Context& context);
Response get_ports(const Request& request, const Context& context);
Response get_listeners(const Request& request, const Context& context);
Response get_ready(const Request& request, const Context& context);
Response get_metrics(const Request& request, const Context& context);
Response get_openapi(const Request& request, const Context& context);

Response put_limit(const Request& request, const Context& context);
Response delete_limit(const Request& request, const Context& context);
Response put_breaker(const Request& request, const Context& context);
Response delete_breaker(const Request& request, const Context& context);
Response put_path(const Request& request, const Context& context);
Response post_reload(const Request& request, const Context& context);
Response post_sweep(const Request& request, const Context& context);
Response post_stop(const Request& request, const Context& context);

} // namespace ballast::api
