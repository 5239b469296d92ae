// SPDX-License-Identifier: Apache-2.0
// The API server: query.sock for readers, control.sock for root, and where configured a loopback
// TCP port that answers what query.sock does. It lives in the thread of the event loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/api/backend.h"
#include "daemon/api/http_listener.h"
#include "daemon/api/unix_socket.h"
#include "daemon/util/error.h"

namespace ballast::api {

struct ServerOptions {
    std::string runtime_dir;             ///< must exist; the sockets are made in it
    std::string query_group = "ballast"; ///< who may read; without that group only the daemon's own
    /// For set_at and ages; never used for durations.
    std::function<WallTime()> now = [] { return std::chrono::system_clock::now(); };
};

class Server {
public:
    /// Makes runtime_dir/query.sock (0660) and runtime_dir/control.sock (0600). Sockets of a dead
    /// daemon are replaced, those of a live one are a failure with errno EADDRINUSE. `event` and
    /// `backend` must outlive the server.
    static Result<std::unique_ptr<Server>> start(sd_event* event, Backend& backend,
                                                 ServerOptions options);

    /// Opens the TCP listener at "127.0.0.1:PORT" or "[::1]:PORT", moves it when it was elsewhere,
    /// closes it when `endpoint` is empty. On failure the earlier one stays open.
    Result<void> listen_tcp(const std::string& endpoint);

private:
    struct UnixListener {
        UnixSocket socket;                  ///< its file goes last
        std::unique_ptr<HttpListener> http; ///< closed first
    };

    Server(sd_event* event, Backend& backend, ServerOptions options);
    Result<UnixListener> open(const std::string& name, bool control);
    [[nodiscard]] HttpHandler handler();

    sd_event* event_;
    Backend& backend_;
    ServerOptions options_;
    std::optional<UnixListener> query_;
    std::optional<UnixListener> control_;
    std::string tcp_endpoint_; ///< empty: no TCP listener
    std::unique_ptr<HttpListener> tcp_;
};

} // namespace ballast::api
