// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/agent.h"

#include <cerrno>
#include <charconv>
#include <list>
#include <optional>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "daemon/api/loopback.h"
#include "daemon/util/fd.h"

namespace ballast::api {

namespace {

constexpr std::size_t most_connections = 64;
constexpr std::size_t longest_line = 256;
constexpr std::uint64_t patience_us = 2'000'000;

struct Asked {
    Endpoint endpoint;
    std::uint32_t netns = 0;
};

std::optional<Asked> parse(std::string_view line) {
    const auto space = line.find(' ');
    const auto endpoint = parse_endpoint(std::string(line.substr(0, space)));
    if (!endpoint)
        return std::nullopt;
    Asked asked{.endpoint = *endpoint};
    if (space == std::string_view::npos)
        return asked;
    const auto number = line.substr(space + 1);
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), asked.netns);
    if (error != std::errc() || end != number.data() + number.size())
        return std::nullopt;
    return asked;
}

} // namespace

std::string agent_answer(std::string_view line, Backend& backend) {
    if (line.ends_with('\r'))
        line.remove_suffix(1);
    const auto asked = parse(line);
    if (!asked)
        return "\n";
    const auto ready = backend.ready(asked->endpoint, asked->netns);
    if (!ready)
        return fmt::format("failed#nobody listens on {}\n", asked->endpoint.text());
    return fmt::format("up {}%\n", ready->percent);
}

struct Agent::State {
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
    };
    using Source = std::unique_ptr<sd_event_source, Unref>;
    struct Connection {
        State* agent = nullptr;
        std::list<Connection>::iterator place;
        Fd socket;
        std::string line;
        Source readable;
        Source timer;
    };

    sd_event* event;
    Backend& backend;
    std::string endpoint;
    Fd socket;
    Source acceptable;
    std::list<Connection> connections;

    void accept_one();
    void read(Connection& from);
    static int on_acceptable(sd_event_source* source, int fd, std::uint32_t events, void* self);
    static int on_readable(sd_event_source* source, int fd, std::uint32_t events, void* one);
    static int on_timeout(sd_event_source* source, std::uint64_t usec, void* one);
};

int Agent::State::on_acceptable(sd_event_source*, int, std::uint32_t, void* self) {
    static_cast<State*>(self)->accept_one();
    return 0;
}

int Agent::State::on_readable(sd_event_source*, int, std::uint32_t, void* one) {
    auto& connection = *static_cast<Connection*>(one);
    connection.agent->read(connection);
    return 0;
}

int Agent::State::on_timeout(sd_event_source*, std::uint64_t, void* one) {
    auto& connection = *static_cast<Connection*>(one);
    connection.agent->connections.erase(connection.place);
    return 0;
}

void Agent::State::accept_one() {
    Fd made(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!made || connections.size() >= most_connections)
        return;
    Connection& connection = connections.emplace_front();
    connection.agent = this;
    connection.place = connections.begin();
    connection.socket = std::move(made);
    sd_event_source* readable = nullptr;
    sd_event_source* timer = nullptr;
    int failed = sd_event_add_io(event, &readable, connection.socket.get(), EPOLLIN, on_readable,
                                 &connection);
    connection.readable.reset(readable);
    if (failed >= 0)
        failed = sd_event_add_time_relative(event, &timer, CLOCK_MONOTONIC, patience_us, 0,
                                            on_timeout, &connection);
    connection.timer.reset(timer);
    if (failed < 0)
        connections.pop_front();
}

/// Answers once there is a whole line, or all that comes.
void Agent::State::read(Connection& from) {
    char buffer[longest_line];
    const auto got = ::recv(from.socket.get(), buffer, sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        from.line.append(buffer, static_cast<std::size_t>(got));
    const auto end = from.line.find('\n');
    if (got > 0 && end == std::string::npos && from.line.size() < longest_line)
        return;
    if (from.line.size() <= longest_line && got >= 0) {
        const auto answer = agent_answer(std::string_view(from.line).substr(0, end), backend);
        // it is some bytes, for which a new socket has room
        (void)::send(from.socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    connections.erase(from.place);
}

Agent::Agent(sd_event* event, Backend& backend)
    : state_(new State{.event = event,
                       .backend = backend,
                       .endpoint = {},
                       .socket = {},
                       .acceptable = {},
                       .connections = {}}) {}
Agent::~Agent() = default;

Result<void> Agent::listen(const std::string& endpoint) {
    if (endpoint == state_->endpoint)
        return {};
    Fd socket;
    State::Source acceptable;
    if (!endpoint.empty()) {
        auto opened = listen_loopback(endpoint);
        if (!opened)
            return fail(opened.error());
        socket = std::move(*opened);
        sd_event_source* source = nullptr;
        const int added = sd_event_add_io(state_->event, &source, socket.get(), EPOLLIN,
                                          State::on_acceptable, state_.get());
        if (added < 0)
            return fail(Error::system("watch " + endpoint, -added));
        acceptable.reset(source);
    }
    state_->connections.clear();
    state_->acceptable = std::move(acceptable);
    state_->socket = std::move(socket);
    state_->endpoint = endpoint;
    return {};
}

} // namespace ballast::api
