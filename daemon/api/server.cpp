// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/server.h"

#include <utility>

#include "daemon/api/loopback.h"
#include "daemon/api/routes.h"

namespace ballast::api {

Server::Server(sd_event* event, Backend& backend, ServerOptions options)
    : event_(event), backend_(backend), options_(std::move(options)) {}

Result<std::unique_ptr<Server>> Server::start(sd_event* event, Backend& backend,
                                              ServerOptions options) {
    std::unique_ptr<Server> server(new Server(event, backend, std::move(options)));
    // control.sock first: it alone shows whether another daemon is in charge here
    auto control = server->open("control.sock", true);
    if (!control)
        return fail(control.error());
    server->control_.emplace(std::move(*control));
    auto query = server->open("query.sock", false);
    if (!query)
        return fail(query.error());
    server->query_.emplace(std::move(*query));
    return server;
}

Result<Server::UnixListener> Server::open(const std::string& name, bool control) {
    const std::string path = options_.runtime_dir + "/" + name;
    const gid_t group = control ? kOwnGroup : group_or_own(options_.query_group);
    auto socket = UnixSocket::listen(path, control ? 0600 : 0660, group);
    if (!socket)
        return fail(socket.error());
    auto http = HttpListener::start(event_, socket->take_fd(), control, handler());
    if (!http)
        return fail(http.error().context(path));
    return UnixListener{std::move(*socket), std::move(*http)};
}

Result<void> Server::listen_tcp(const std::string& endpoint) {
    if (endpoint == tcp_endpoint_)
        return {};
    std::unique_ptr<HttpListener> opened;
    if (!endpoint.empty()) {
        auto socket = listen_loopback(endpoint);
        if (!socket)
            return fail(socket.error());
        auto http = HttpListener::start(event_, std::move(*socket), false, handler());
        if (!http)
            return fail(http.error().context(endpoint));
        opened = std::move(*http);
    }
    tcp_ = std::move(opened);
    tcp_endpoint_ = endpoint;
    return {};
}

HttpHandler Server::handler() {
    return {[this](const Request& request) { return answer(request, backend_, options_.now()); },
            [this] { backend_.stop(); }};
}

} // namespace ballast::api
