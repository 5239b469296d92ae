// SPDX-License-Identifier: Apache-2.0
// Promise: the count is right after each way in which a connection can begin, or fail to.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace test_lives_open {

using namespace ballast;
using namespace ballast::test;

namespace {

Scene* scene = nullptr;

const Netns& client() {
    return scene->link.client;
}

Listener& serve(const Family& family) {
    return make<Listener>(scene->link.server, Dest{family.server, 0});
}

void in_use(const Dest& dest, long wanted, Where where = Where::current()) {
    await_in_use(scene->ballastd, dest, wanted, where);
}

void admitted(const Dest& dest, long wanted, Where where = Where::current()) {
    check_equal(scene->ballastd.value(dest, "admitted"), wanted, "admitted", where);
}

/// A destination that only this test case uses.
Dest fresh(const char* host) {
    static std::uint16_t port = 20000;
    return {host, ++port};
}

void blocking(const Family& family) {
    auto& server = serve(family);
    auto& open = open_connections(client(), server.dest(), 3);
    in_use(server.dest(), 3);
    open.pop_back();
    in_use(server.dest(), 2);
    open.clear();
    in_use(server.dest(), 0);
    admitted(server.dest(), 3);
}

void non_blocking(const Family& family) {
    auto& server = serve(family);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain, SOCK_NONBLOCK));
    check_errno(connect_errno(socket, server.dest()), EINPROGRESS, "non-blocking connect");
    check_errno(connect_result(socket), 0, "its outcome");
    in_use(server.dest(), 1);
    socket.reset();
    in_use(server.dest(), 0);
    admitted(server.dest(), 1);
}

void pending(const Family& family) {
    const auto dest = fresh(family.silent);
    auto& socket = make<Fd>(connecting(client(), dest));
    in_use(dest, 1);
    check_equal(ss_count(client().fd(), dest, "SYN-SENT"), 1U, "connecting, by ss");
    socket.reset();
    in_use(dest, 0);
}

void v4_mapped() {
    auto& server = make<Listener>(scene->link.server, Dest{"10.77.0.2", 0});
    auto& socket = make<Fd>(tcp_socket(client(), AF_INET6));
    check_errno(connect_errno(socket, server.dest()), 0, "connect to a v4-mapped address");
    auto& plain = open_connections(client(), server.dest(), 1);
    in_use(server.dest(), 2);
    socket.reset();
    plain.clear();
    in_use(server.dest(), 0);
}

void sets_fast_open(const Listener& server) {
    constexpr int for_clients_and_servers = 3;
    scene->link.server.sysctl("net.ipv4.tcp_fastopen", for_clients_and_servers);
    set_option(server.socket(), IPPROTO_TCP, TCP_FASTOPEN, 16);
}

/// Whether the SYN carried data that the peer took.
bool was_fast(const Fd& socket) {
    tcp_info info{};
    socklen_t length = sizeof info;
    need(::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO");
    return (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0;
}

/// The first asks for the cookie, the second uses it.
void fast_open_sendto(const Family& family) {
    auto& server = serve(family);
    sets_fast_open(server);
    auto& open = make<std::vector<Fd>>();
    const SocketAddress address(server.dest(), family.domain);
    for (int i = 0; i < 2; ++i) {
        open.push_back(tcp_socket(client(), family.domain));
        check_equal(
            ::sendto(open.back().get(), "x", 1, MSG_FASTOPEN, address.get(), address.length), 1L,
            "bytes sent with MSG_FASTOPEN");
        check_errno(connect_result(open.back()), 0, "its outcome");
    }
    check(was_fast(open.back()), "the second was a fast open");
    in_use(server.dest(), 2);
    open.clear();
    in_use(server.dest(), 0);
    admitted(server.dest(), 2);
}

void fast_open_connect(const Family& family) {
    auto& server = serve(family);
    sets_fast_open(server);
    auto& open = make<std::vector<Fd>>();
    for (int i = 0; i < 2; ++i) {
        open.push_back(tcp_socket(client(), family.domain));
        set_option(open.back(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
        check_errno(connect_errno(open.back(), server.dest()), 0, "connect, perhaps deferred");
        in_use(server.dest(), i + 1);
        check_equal(::send(open.back().get(), "x", 1, MSG_NOSIGNAL), 1L, "bytes sent");
        check_errno(connect_result(open.back()), 0, "its outcome");
    }
    check(was_fast(open.back()), "the second was a fast open");
    in_use(server.dest(), 2);
    open.clear();
    in_use(server.dest(), 0);
}

/// With a cookie at hand connect() sends nothing until the program writes, for longer than the
/// daemon waits before it takes a connect() for failed.
void fast_open_sent_late(const Family& family) {
    auto& server = serve(family);
    sets_fast_open(server);
    const auto up = [] { return scene->ballastd.status().at("uptime_ms").get<long>(); };
    await([&] { return up() > 9000; }, "sweeps to be as seldom as usual");
    for (int i = 0; i < 2; ++i) {
        auto& socket = make<Fd>(tcp_socket(client(), family.domain));
        set_option(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
        check_errno(connect_errno(socket, server.dest()), 0, "connect, perhaps deferred");
        const long begin = up();
        await([&] { return up() > begin + 3500; }, "what is pending to be reclaimed");
        check_equal(scene->ballastd.in_use(server.dest()), 1L, "in_use before it writes");
        check_equal(::send(socket.get(), "x", 1, MSG_NOSIGNAL), 1L, "bytes sent");
        check_errno(connect_result(socket), 0, "its outcome");
        check(was_fast(socket) || i == 0, "the second was a fast open");
        check_equal(scene->ballastd.in_use(server.dest()), 1L, "in_use once it wrote");
        socket.reset();
        in_use(server.dest(), 0);
    }
}

/// With a cookie at hand connect() sends nothing; then the socket is closed unused.
void fast_open_never_sent(const Family& family) {
    auto& server = serve(family);
    sets_fast_open(server);
    for (int i = 0; i < 2; ++i) {
        auto& socket = make<Fd>(tcp_socket(client(), family.domain));
        set_option(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
        check_errno(connect_errno(socket, server.dest()), 0, "connect, perhaps deferred");
        in_use(server.dest(), 1);
        socket.reset();
        in_use(server.dest(), 0);
    }
}

void refused_by_peer(const Family& family) {
    const auto dest = fresh(family.server);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    check_errno(connect_errno(socket, dest), ECONNREFUSED, "connect to a closed port");
    in_use(dest, 0);
    admitted(dest, 1);
}

void times_out(const Family& family) {
    const auto dest = fresh(family.silent);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    set_option(socket, IPPROTO_TCP, TCP_SYNCNT, 1);
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 500);
    check_errno(connect_errno(socket, dest), ETIMEDOUT, "connect to a silent destination");
    in_use(dest, 0);
    admitted(dest, 1);
}

void second_connect_after_refusal(const Family& family) {
    auto& server = serve(family);
    const auto closed = fresh(family.server);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    check_errno(connect_errno(socket, closed), ECONNREFUSED, "first connect");
    check_errno(connect_errno(socket, server.dest()), 0, "second connect of the same socket");
    in_use(closed, 0);
    in_use(server.dest(), 1);
    socket.reset();
    in_use(server.dest(), 0);
}

/// The first reservation is still there when the second connect() comes: it has to be moved.
void second_connect_after_no_route(const Family& family) {
    auto& server = serve(family);
    const auto unrouted = fresh(family.unrouted);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    check_errno(connect_errno(socket, unrouted), ENETUNREACH, "first connect");
    check_errno(connect_errno(socket, server.dest()), 0, "second connect of the same socket");
    check_equal(scene->ballastd.in_use(unrouted), 0, "in_use of the first, at once");
    in_use(server.dest(), 1);
    socket.reset();
    in_use(server.dest(), 0);
}

void no_route_closed(const Family& family) {
    const auto dest = fresh(family.unrouted);
    for (int i = 0; i < 10; ++i)
        check_errno(attempt(client(), dest).error, ENETUNREACH, "connect without a route");
    check_equal(scene->ballastd.in_use(dest), 0, "in_use, at once");
    admitted(dest, 10);
}

/// No hook reports this one while the descriptor stays open: the daemon has to find it.
void no_route_kept_open(const Family& family) {
    const auto dest = fresh(family.unrouted);
    auto& socket = make<Fd>(tcp_socket(client(), family.domain));
    check_errno(connect_errno(socket, dest), ENETUNREACH, "connect without a route");
    in_use(dest, 0);
    check_errno(connect_errno(socket, dest), ENETUNREACH, "the same again");
    in_use(dest, 0);
}

void already_connected(const Family& family) {
    auto& server = serve(family);
    auto& open = open_connections(client(), server.dest(), 1);
    check_errno(connect_errno(open[0], server.dest()), EISCONN, "second connect while connected");
    in_use(server.dest(), 1);
    admitted(server.dest(), 1);
    open.clear();
    in_use(server.dest(), 0);
}

void already_connecting(const Family& family) {
    const auto dest = fresh(family.silent);
    auto& socket = make<Fd>(connecting(client(), dest));
    check_errno(connect_errno(socket, dest), EALREADY, "second connect while connecting");
    in_use(dest, 1);
    admitted(dest, 1);
    socket.reset();
    in_use(dest, 0);
}

/// connect() to the unspecified address means this host.
void unspecified(const Family& family) {
    const bool v4 = family.domain == AF_INET;
    auto& server = make<Listener>(client(), Dest{v4 ? "127.0.0.1" : "::1", 0});
    auto& open = open_connections(client(), {v4 ? "0.0.0.0" : "::", server.dest().port}, 2);
    in_use(server.dest(), 2);
    open.clear();
    in_use(server.dest(), 0);
}

void udp_is_untouched(const Family& family) {
    const auto dest = fresh(family.server);
    auto& sockets = make<std::vector<Fd>>();
    const SocketAddress address(dest, family.domain);
    for (int i = 0; i < 20; ++i) {
        const Inside inside(client().fd());
        sockets.emplace_back(::socket(family.domain, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        if (::connect(sockets.back().get(), address.get(), address.length) != 0)
            sockets.pop_back();
    }
    check_equal(sockets.size(), 20U, "connected UDP sockets, beyond any limit");
    check(scene->ballastd.rows(dest).empty(), "no destination was made for UDP");
}

void nothing_was_repaired() {
    check_no_repairs(scene->ballastd);
}

} // namespace

TEST_GROUP(lives_open) {
    return Suite()
        .shared([] { scene = &make_scene(limit_policy(10)); })
        .each(families, "blocking connect", blocking)
        .each(families, "non-blocking connect", non_blocking)
        .each(families, "SYN_SENT counts", pending)
        .add("v4-mapped counts as IPv4", v4_mapped)
        .each(families, "fast open by sendto", fast_open_sendto)
        .each(families, "fast open by connect and send", fast_open_connect)
        .each(families, "fast open that sends late", fast_open_sent_late)
        .each(families, "fast open that sends nothing", fast_open_never_sent)
        .each(families, "refused by the peer", refused_by_peer)
        .each(families, "connect that times out", times_out)
        .each(families, "second connect after a refusal", second_connect_after_refusal)
        .each(families, "second connect after no route", second_connect_after_no_route)
        .each(families, "no route, closed", no_route_closed)
        .each(families, "connect while connected", already_connected)
        .each(families, "connect while connecting", already_connecting)
        .each(families, "the unspecified address is this host", unspecified)
        .each(families, "UDP is untouched", udp_is_untouched)
        .add("no sweep had to repair anything", nothing_was_repaired)
        .each(families, "no route, kept open", no_route_kept_open)
        .run("lives_open");
}

} // namespace test_lives_open
