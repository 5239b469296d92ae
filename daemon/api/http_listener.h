// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 on one listening socket, driven by the daemon's event loop: libmicrohttpd without a
// thread of its own, its epoll descriptor nested in sd-event's.
//
// Bounds: 64 connections (further ones wait in the backlog), 16 KiB of memory for each one's
// headers, 10 s without progress, a body of max_body_bytes, 16 MiB of answers not yet sent. An
// answer that has to wait (Response::later) holds its connection only.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>

#include "daemon/api/message.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

struct sd_event;
struct sd_event_source;
struct MHD_Daemon;
struct MHD_Connection;

namespace ballast::api {

/// Handles the requests that a listener receives.
struct HttpHandler {
    std::function<Response(const Request&)> answer;
    std::function<void()> stop; ///< called when an answer with then_stop has left
};

class HttpListener {
public:
    /// `socket` is bound, listening and non-blocking. With `control` requests are writable and
    /// carry who sent them. `event` must outlive the listener.
    static Result<std::unique_ptr<HttpListener>> start(sd_event* event, Fd socket, bool control,
                                                       HttpHandler handler);

    HttpListener(const HttpListener&) = delete;
    HttpListener& operator=(const HttpListener&) = delete;
    HttpListener(HttpListener&&) = delete;
    HttpListener& operator=(HttpListener&&) = delete;

    /// Closes the socket and all connections.
    ~HttpListener();

private:
    friend struct Callbacks;
    struct Exchange;

    HttpListener(bool control, HttpHandler handler);
    Result<void> start_http(Fd socket);
    Result<void> add_sources(sd_event* event);
    [[nodiscard]] bool full() const;
    [[nodiscard]] int run();
    [[nodiscard]] int arm_timer();
    std::unique_ptr<Exchange> begin(MHD_Connection* connection, const char* method,
                                    const char* path) const;
    bool reply(MHD_Connection* connection, Exchange& exchange);
    bool finish(MHD_Connection* connection, Exchange& exchange, Response response);
    [[nodiscard]] bool resume_waiting(bool all);
    bool send(MHD_Connection* connection, Response response);

    bool control_;
    HttpHandler handler_;
    MHD_Daemon* http_ = nullptr;
    sd_event_source* io_ = nullptr;
    sd_event_source* timer_ = nullptr;
    std::size_t unsent_bytes_ = 0;                 ///< of bodies that libmicrohttpd still holds
    std::map<MHD_Connection*, Exchange*> waiting_; ///< suspended, by what they wait for
};

} // namespace ballast::api
