// SPDX-License-Identifier: Apache-2.0
#include "tests/harness/sockets.h"

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/tcp.h>
#include <poll.h>

#include <set>
#include <vector>

#include "tests/harness/check.h"

namespace ballast::test {

namespace {

int domain_of(const Dest& dest) {
    return dest.v4() ? AF_INET : AF_INET6;
}

std::uint16_t local_port(const Fd& socket) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length) == 0,
         "getsockname");
    // the port sits at the same place in both families
    return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
}

} // namespace

std::string Dest::text() const {
    return v4() ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

SocketAddress::SocketAddress(const Dest& dest, int domain) {
    if (domain == AF_INET) {
        auto* in = reinterpret_cast<sockaddr_in*>(&storage);
        in->sin_family = AF_INET;
        in->sin_port = htons(dest.port);
        check(::inet_pton(AF_INET, dest.host.c_str(), &in->sin_addr) == 1, dest.host);
        length = sizeof *in;
        return;
    }
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(dest.port);
    const auto host = dest.v4() ? "::ffff:" + dest.host : dest.host;
    check(::inet_pton(AF_INET6, host.c_str(), &in6->sin6_addr) == 1, host);
    length = sizeof *in6;
}

Fd tcp_socket(const Netns& where, int domain, int flags) {
    Fd made;
    {
        const Inside inside(where.fd());
        made.reset(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    }
    need(static_cast<bool>(made), "socket");
    return made;
}

int connect_errno(const Fd& socket, const Dest& dest) {
    int domain = 0;
    socklen_t length = sizeof domain;
    need(::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0, "SO_DOMAIN");
    const SocketAddress address(dest, domain);
    return ::connect(socket.get(), address.get(), address.length) == 0 ? 0 : errno;
}

Attempt attempt(const Netns& where, const Dest& dest) {
    Attempt made{tcp_socket(where, domain_of(dest)), 0};
    made.error = connect_errno(made.socket, dest);
    if (made.error != 0)
        made.socket.reset();
    return made;
}

Fd connecting(const Netns& where, const Dest& silent) {
    Fd socket = tcp_socket(where, domain_of(silent), SOCK_NONBLOCK);
    check_errno(connect_errno(socket, silent), EINPROGRESS, "connect to a silent destination");
    check_equal(tcp_state(socket), int{TCP_SYN_SENT}, "its TCP state");
    return socket;
}

int connect_result(const Fd& socket) {
    if (!wait_fd(socket.get(), POLLOUT, Clock::now() + patience()))
        return EINPROGRESS;
    int error = 0;
    socklen_t length = sizeof error;
    need(::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0, "SO_ERROR");
    return error;
}

int tcp_state(const Fd& socket) {
    tcp_info info{};
    socklen_t length = sizeof info;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO");
    return info.tcpi_state;
}

void set_option(const Fd& socket, int level, int name, int value) {
    need(::setsockopt(socket.get(), level, name, &value, sizeof value) == 0, "setsockopt");
}

void abort_connection(Fd& socket) {
    const linger at_once{1, 0};
    need(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0,
         "SO_LINGER");
    socket.reset();
}

namespace {

Fd bound_socket(const Netns& where, const Dest& dest) {
    const int domain = domain_of(dest);
    Fd socket = tcp_socket(where, domain);
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    if (domain == AF_INET6)
        set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    const SocketAddress address(dest, domain);
    need(::bind(socket.get(), address.get(), address.length) == 0, "bind to " + dest.text());
    return socket;
}

/// A port that the kernel chose and that no listener of this process had: the daemon still counts
/// for a destination whose listener an earlier test closed.
Fd fresh_socket(const Netns& where, const Dest& dest) {
    static std::set<std::uint16_t> had;
    std::vector<Fd> passed_over;
    for (int tries = 0; tries < 100; ++tries) {
        Fd socket = bound_socket(where, dest);
        if (had.insert(local_port(socket)).second)
            return socket;
        passed_over.push_back(std::move(socket));
    }
    fail_test("the kernel chose no port that was not used before");
}

} // namespace

Listener::Listener(const Netns& where, const Dest& dest, int backlog)
    : dest_(dest), socket_(dest.port == 0 ? fresh_socket(where, dest) : bound_socket(where, dest)) {
    need(::listen(socket_.get(), backlog) == 0, "listen");
    dest_.port = local_port(socket_);
}

Fd Listener::accept() {
    check(wait_fd(socket_.get(), POLLIN, Clock::now() + patience()), "a connection arrived");
    Fd accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    need(static_cast<bool>(accepted), "accept");
    return accepted;
}

} // namespace ballast::test
