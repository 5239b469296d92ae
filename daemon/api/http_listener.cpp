// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/http_listener.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <microhttpd.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "daemon/api/peer.h"

namespace ballast::api {
namespace {

constexpr unsigned kMaxConnections = 64;
constexpr std::size_t kConnectionMemory = std::size_t{16} * 1024;
constexpr unsigned kTimeoutSeconds = 10;
constexpr std::size_t kMaxUnsentBytes = std::size_t{16} * 1024 * 1024;
/// Poll interval for the conditions that answers wait for.
constexpr std::uint64_t kLookAgainUs = 5'000;
constexpr std::uint64_t kTimerAccuracyUs = 1; // uploads go on by timers that are due at once

/// Longer uploads are cut off instead of being read to their end for a 413.
constexpr std::size_t kMaxDiscardedBytes = std::size_t{1024} * 1024;

/// A body on loan to libmicrohttpd, with the count it is taken off when returned.
struct Loan {
    std::string body;
    std::size_t* unsent;
};

void return_loan(void* cls) {
    const std::unique_ptr<Loan> loan(static_cast<Loan*>(cls));
    *loan->unsent -= loan->body.size();
}

MHD_Response* lend(std::string body, std::size_t& unsent) {
    auto loan = std::make_unique<Loan>(Loan{std::move(body), &unsent});
    MHD_Response* made = MHD_create_response_from_buffer_with_free_callback_cls(
        loan->body.size(), loan->body.data(), return_loan, loan.get());
    if (made == nullptr)
        return nullptr;
    unsent += loan->body.size();
    (void)loan.release(); // libmicrohttpd's until return_loan
    return made;
}

MHD_Result collect_pair(void* cls, MHD_ValueKind, const char* key, const char* value) {
    static_cast<QueryPairs*>(cls)->emplace_back(key, value != nullptr ? value : "");
    return MHD_YES;
}

std::size_t announced_length(MHD_Connection* connection) {
    const char* text =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 0;
}

int socket_of(MHD_Connection* connection) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != nullptr ? info->connect_fd : -1;
}

} // namespace

/// One request while it arrives, and what is left to do once its answer has left.
struct HttpListener::Exchange {
    Request request;
    std::size_t received = 0; ///< bytes of the body, discarded ones included
    bool then_stop = false;
    std::shared_ptr<const Later> later;
    std::chrono::steady_clock::time_point give_up; ///< waiting for that

    [[nodiscard]] bool is_over() const {
        return later->is_over() || std::chrono::steady_clock::now() >= give_up;
    }

    void take(const char* data, std::size_t size) {
        received += size;
        request.body_too_big = received > kMaxBodyBytes;
        if (!request.body_too_big)
            request.body.append(data, size);
    }
};

/// The C callbacks of libmicrohttpd and sd-event.
struct Callbacks {
    // NOLINTNEXTLINE(readability-function-size): the signature is libmicrohttpd's
    static MHD_Result on_request(void* cls, MHD_Connection* connection, const char* url,
                                 const char* method, const char*, const char* upload,
                                 std::size_t* upload_size, void** state) {
        auto& self = *static_cast<HttpListener*>(cls);
        if (*state == nullptr) {
            auto exchange = self.begin(connection, method, url);
            const bool refuse = exchange->request.body_too_big;
            auto& kept = *exchange;
            *state = exchange.release(); // on_completed deletes it
            return refuse ? result(self.reply(connection, kept)) : MHD_YES;
        }
        auto& exchange = *static_cast<HttpListener::Exchange*>(*state);
        if (*upload_size == 0)
            return result(self.reply(connection, exchange));
        exchange.take(upload, std::exchange(*upload_size, 0));
        return result(exchange.received <= kMaxDiscardedBytes);
    }

    static void on_completed(void* cls, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
        const auto& self = *static_cast<HttpListener*>(cls);
        const std::unique_ptr<HttpListener::Exchange> exchange(
            static_cast<HttpListener::Exchange*>(std::exchange(*state, nullptr)));
        if (exchange != nullptr && exchange->then_stop)
            self.handler_.stop();
    }

    static int on_io(sd_event_source*, int, std::uint32_t, void* self) {
        return static_cast<HttpListener*>(self)->run();
    }

    static int on_timer(sd_event_source*, std::uint64_t, void* self) {
        return static_cast<HttpListener*>(self)->run();
    }

    static int before_poll(sd_event_source*, void* self) {
        return static_cast<HttpListener*>(self)->arm_timer();
    }

private:
    static MHD_Result result(bool ok) { return ok ? MHD_YES : MHD_NO; }
};

HttpListener::HttpListener(bool control, HttpHandler handler)
    : control_(control), handler_(std::move(handler)) {}

HttpListener::~HttpListener() {
    sd_event_source_disable_unref(timer_);
    sd_event_source_disable_unref(io_);
    if (http_ == nullptr)
        return;
    if (resume_waiting(true)) // libmicrohttpd ends the process for one that is still suspended
        (void)MHD_run(http_);
    MHD_stop_daemon(http_);
}

Result<std::unique_ptr<HttpListener>> HttpListener::start(sd_event* event, Fd socket, bool control,
                                                          HttpHandler handler) {
    std::unique_ptr<HttpListener> made(new HttpListener(control, std::move(handler)));
    if (auto started = made->start_http(std::move(socket)); !started)
        return fail(started.error());
    if (auto added = made->add_sources(event); !added)
        return fail(added.error());
    return made;
}

Result<void> HttpListener::start_http(Fd socket) {
    http_ = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, &Callbacks::on_request, this,
        MHD_OPTION_LISTEN_SOCKET, socket.get(), MHD_OPTION_CONNECTION_LIMIT, kMaxConnections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemory, MHD_OPTION_CONNECTION_TIMEOUT,
        kTimeoutSeconds, MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::on_completed, this,
        MHD_OPTION_END);
    (void)socket.release(); // libmicrohttpd closes it, when it fails to start too
    if (http_ == nullptr)
        return fail(Error("libmicrohttpd did not start"));
    return {};
}

Result<void> HttpListener::add_sources(sd_event* event) {
    const auto* info = MHD_get_daemon_info(http_, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == nullptr)
        return fail(Error("this libmicrohttpd was built without epoll"));
    int error = sd_event_add_io(event, &io_, info->epoll_fd, EPOLLIN, &Callbacks::on_io, this);
    if (error >= 0)
        error = sd_event_add_time_relative(event, &timer_, CLOCK_MONOTONIC, 0, kTimerAccuracyUs,
                                           &Callbacks::on_timer, this);
    if (error >= 0)
        error = sd_event_source_set_prepare(io_, &Callbacks::before_poll);
    if (error < 0)
        return fail(Error::system("adding the API to the event loop", -error));
    return {};
}

bool HttpListener::full() const {
    const auto* info = MHD_get_daemon_info(http_, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info != nullptr && info->num_connections >= kMaxConnections;
}

/// A negative return makes sd-event switch the source off rather than spin on it.
int HttpListener::run() {
    (void)resume_waiting(false);
    const bool was_full = full();
    if (MHD_run(http_) != MHD_YES)
        return -EIO;
    // libmicrohttpd looks at its listening socket again at the start of a run, after a place was
    // freed in the one before; nothing else would wake it
    if (was_full && !full())
        return MHD_run(http_) == MHD_YES ? 0 : -EIO;
    return 0;
}

/// Has libmicrohttpd go on with those whose wait is over; false: there are none.
bool HttpListener::resume_waiting(bool all) {
    bool any = false;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        if (!all && !at->second->is_over()) {
            ++at;
            continue;
        }
        MHD_resume_connection(at->first);
        at = waiting_.erase(at);
        any = true;
    }
    return any;
}

int HttpListener::arm_timer() {
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    const bool has_timeout = MHD_get_timeout(http_, &wait_ms) == MHD_YES;
    if (!has_timeout && waiting_.empty())
        return sd_event_source_set_enabled(timer_, SD_EVENT_OFF);
    std::uint64_t wait_us = has_timeout ? std::uint64_t{wait_ms} * 1000 : kLookAgainUs;
    if (!waiting_.empty())
        wait_us = std::min(wait_us, kLookAgainUs);
    const int set = sd_event_source_set_time_relative(timer_, wait_us);
    return set < 0 ? set : sd_event_source_set_enabled(timer_, SD_EVENT_ONESHOT);
}

std::unique_ptr<HttpListener::Exchange>
HttpListener::begin(MHD_Connection* connection, const char* method, const char* path) const {
    auto exchange = std::make_unique<Exchange>();
    Request& request = exchange->request;
    request.method = method;
    request.path = path;
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, &collect_pair, &request.query);
    request.body_too_big = announced_length(connection) > kMaxDiscardedBytes;
    request.writable = control_;
    if (control_)
        request.peer = peer_name(socket_of(connection));
    return exchange;
}

bool HttpListener::reply(MHD_Connection* connection, Exchange& exchange) {
    if (const auto later = std::exchange(exchange.later, nullptr))
        return finish(connection, exchange, later->answer());
    Response response = handler_.answer(exchange.request);
    exchange.request = {};
    if (!response.later || response.later->is_over())
        return finish(connection, exchange,
                      response.later ? response.later->answer() : std::move(response));
    exchange.later = response.later;
    exchange.give_up = std::chrono::steady_clock::now() + response.later->patience;
    MHD_suspend_connection(connection);
    waiting_.emplace(connection, &exchange);
    return true;
}

bool HttpListener::finish(MHD_Connection* connection, Exchange& exchange, Response response) {
    if (unsent_bytes_ + response.body.size() > kMaxUnsentBytes)
        response = error_response(503, "busy",
                                  Error("too many answers are waiting to be read")
                                      .hint("read them, or ask for less with ?limit="));
    exchange.then_stop = response.then_stop;
    return send(connection, std::move(response));
}

bool HttpListener::send(MHD_Connection* connection, Response response) {
    MHD_Response* out = lend(std::move(response.body), unsent_bytes_);
    if (out == nullptr)
        return false;
    MHD_add_response_header(out, MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type.c_str());
    MHD_add_response_header(out, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(out, "X-Content-Type-Options", "nosniff");
    if (!response.allow.empty())
        MHD_add_response_header(out, MHD_HTTP_HEADER_ALLOW, response.allow.c_str());
    const bool queued = MHD_queue_response(connection, response.status, out) == MHD_YES;
    MHD_destroy_response(out);
    return queued;
}

} // namespace ballast::api
