// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/diag_sockets.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/registry.h"

namespace ballast::test {

const std::vector<Kind> kinds = {
    {"ipv4", AF_INET, "10.77.0.1", "10.77.0.2"},
    {"ipv6", AF_INET6, "fd77::1", "fd77::2"},
    {"v4-mapped", AF_INET6, "10.77.0.1", "10.77.0.2"},
};

namespace {

Endpoint endpoint_of(const sockaddr_storage& name) {
    char text[INET6_ADDRSTRLEN];
    const auto* in = reinterpret_cast<const sockaddr_in*>(&name);
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&name);
    const bool v4 = name.ss_family == AF_INET;
    const void* address = v4 ? static_cast<const void*>(&in->sin_addr) : &in6->sin6_addr;
    need(::inet_ntop(name.ss_family, address, text, sizeof text) != nullptr, "inet_ntop");
    return {*parse_address(text), ntohs(in->sin_port)};
}

} // namespace

Pair connect_pair(const Netns& where, const Kind& kind, Listener& listener, std::uint16_t port) {
    Pair pair{tcp_socket(where, kind.domain), {}};
    if (port != 0) {
        set_option(pair.client, SOL_SOCKET, SO_REUSEADDR, 1);
        const SocketAddress own({kind.client, port}, kind.domain);
        need(::bind(pair.client.get(), own.get(), own.length) == 0, "bind the client");
    }
    check_errno(connect_errno(pair.client, listener.dest()), 0, "connect");
    pair.server = listener.accept();
    return pair;
}

FlowKey key_of(const Fd& socket) {
    sockaddr_storage local{}, remote{};
    FlowKey key;
    socklen_t length = sizeof local;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &length) == 0,
         "getsockname");
    length = sizeof remote;
    need(::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&remote), &length) == 0,
         "getpeername");
    length = sizeof key.cookie;
    need(::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &key.cookie, &length) == 0, "SO_COOKIE");
    key.local = endpoint_of(local);
    key.remote = endpoint_of(remote);
    return key;
}

netlink::Diag diag_in(const Netns& where) {
    auto diag = netlink::Diag::open(where.fd());
    check(diag.has_value(), diag ? "" : diag.error().text());
    return std::move(*diag);
}

DiagSocket must_find(netlink::Diag& diag, const FlowKey& key) {
    const auto found = diag.find(key);
    check(found.has_value(), found ? "" : found.error().text());
    check(found->has_value(), "the socket is found: " + key.local.text());
    return **found;
}

void check_gone(netlink::Diag& diag, const FlowKey& key) {
    const auto found = diag.find(key);
    check(found.has_value(), found ? "" : found.error().text());
    check(!found->has_value(), "no socket has that cookie");
    const auto destroyed = diag.destroy(key);
    check(destroyed.has_value(), destroyed ? "" : destroyed.error().text());
    check(*destroyed == Destroyed::already_gone, "there is nothing to destroy");
}

void check_alive(const Pair& pair) {
    for (const auto& [from, to] :
         {std::pair{&pair.client, &pair.server}, std::pair{&pair.server, &pair.client}}) {
        char byte = 'x';
        need(::send(from->get(), &byte, 1, MSG_NOSIGNAL) == 1, "send on a connection that lives");
        check(wait_fd(to->get(), POLLIN, Clock::now() + patience()), "a byte arrives");
        need(::recv(to->get(), &byte, 1, 0) == 1, "receive on a connection that lives");
    }
}

void become_nobody() {
    constexpr uid_t nobody = 65534;
    // the call itself: glibc's changes every thread
    need(::syscall(SYS_setresuid, nobody, nobody, nobody) == 0, "setresuid");
}

void as_nobody(const std::function<void()>& body) {
    auto& child = make<Process>();
    child.fork([&body] {
        become_nobody();
        body();
        return 0;
    });
    check_equal(child.wait().value_or(-1), 0, "exit status of the child without privileges");
}

} // namespace ballast::test
