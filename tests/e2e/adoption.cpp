// SPDX-License-Identifier: Apache-2.0
// Promise: connections older than the load are counted from the first second, in every network
// namespace, and released when they close; what did not connect from here is not counted.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

namespace test_adoption {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr unsigned older = 3;

struct Loopback {
    const char* name;
    const char* address;
};

// an address that nothing else on the host uses
constexpr Loopback loopbacks[] = {{"ipv4", "127.77.0.1"}, {"ipv6", "::1"}};

Link* net = nullptr;

/// A ballastd that is not started yet, so that there are connections older than its load.
Ballastd& prepare(const std::string& policy_text) {
    return make<Ballastd>(policy_text);
}

/// A listener of the link's server on a port of its own.
Listener& serve(const Family& family) {
    return make<Listener>(net->server, Dest{family.server, 0});
}

void counts_and_releases(Ballastd& ballastd, const Netns& from, const Dest& dest) {
    auto& open = open_connections(from, dest, older);
    ballastd.start();
    check_equal(ballastd.in_use(dest), long{older}, "in_use at once");
    check_equal(ballastd.value(dest, "adopted"), long{older}, "adopted");
    check_equal(ballastd.value(dest, "admitted"), 0, "admitted");
    auto& newer = make<Fd>(attempt(from, dest).socket);
    check(static_cast<bool>(newer), "one more is admitted up to the limit");
    check_errno(attempt(from, dest).error, ECONNREFUSED, "the next");
    open.pop_back();
    await_in_use(ballastd, dest, older);
    open.clear();
    newer.reset();
    await_in_use(ballastd, dest, 0);
    check_no_repairs(ballastd);
}

void in_the_hosts_namespace(const Loopback& loopback) {
    auto& server = make<Listener>(Netns::own(), Dest{loopback.address, 0});
    auto& ballastd = prepare(policy({{.to = {server.dest().text()}, .limit = older + 1}}));
    counts_and_releases(ballastd, Netns::own(), server.dest());
}

void in_another_namespace(const Family& family) {
    auto& ballastd = prepare(limit_policy(older + 1));
    auto& server = serve(family);
    counts_and_releases(ballastd, net->client, server.dest());
}

/// Before Linux 6.17 the iterator skips the first bucket of the hash table where there is no
/// listener (daemon/kernel/iterator_listener.h); here that is the only bucket.
void in_the_first_bucket(const Family& family) {
    const Link narrow = make_link(1);
    auto& ballastd = prepare(limit_policy(older + 1));
    auto& server = make<Listener>(narrow.server, Dest{family.server, 0});
    auto& open = open_connections(narrow.client, server.dest(), older);
    ballastd.start();
    check_equal(ballastd.in_use(server.dest()), long{older}, "in_use at once");
    open.push_back(attempt(narrow.client, server.dest()).socket);
    const auto sweeps = [&] { return ballastd.status().at("sweep").at("sweeps").get<long>(); };
    const long enough = sweeps() + 4; // a second apart: what two of them miss is given back
    await(ballastd.sweeping([&] { return sweeps() >= enough; }), "sweeps");
    check_equal(ballastd.in_use(server.dest()), long{older} + 1, "in_use after sweeps");
    open.clear();
    await_in_use(ballastd, server.dest(), 0);
    check_no_repairs(ballastd);
}

void v4_mapped() {
    auto& ballastd = prepare(limit_policy(older));
    auto& server = serve(families.front());
    auto& socket = make<Fd>(tcp_socket(net->client, AF_INET6));
    check_errno(connect_errno(socket, server.dest()), 0, "connect to a v4-mapped address");
    ballastd.start();
    check_equal(ballastd.in_use(server.dest()), 1, "in_use at once");
    socket.reset();
    await_in_use(ballastd, server.dest(), 0);
}

/// SYN_SENT, CLOSE_WAIT and FIN_WAIT2 hold a place like any other state; TIME_WAIT holds none.
void in_every_state(const Family& family) {
    auto& ballastd = prepare(limit_policy(10));
    auto& server = serve(family);
    auto& opening = make<Fd>(connecting(net->client, {family.silent, 5432}));
    auto& open = open_connections(net->client, server.dest(), 3);
    auto& accepted = make<std::vector<Fd>>();
    for (int i = 0; i < 3; ++i)
        accepted.push_back(server.accept());
    accepted[0].reset();
    ::shutdown(open[1].get(), SHUT_WR);
    open[2].reset();
    accepted[2].reset();
    await_equal([&] { return ss_count(net->client.fd(), server.dest(), "TIME-WAIT"); }, 1U,
                "TIME-WAIT");
    ballastd.start();
    check_equal(ballastd.in_use(server.dest()), 2, "in_use at once");
    check_equal(ballastd.in_use({family.silent, 5432}), 1, "in_use of the one in SYN_SENT");
    opening.reset();
    open.clear();
    accepted.clear();
    await_in_use(ballastd, server.dest(), 0);
    await_in_use(ballastd, {family.silent, 5432}, 0);
}

/// bind() before connect() must not make a client look like a server.
void bound_before_connect(const Family& family) {
    auto& ballastd = prepare(limit_policy(10));
    auto& server = serve(family);
    auto& open = make<std::vector<Fd>>();
    for (const std::uint16_t port : {std::uint16_t{0}, std::uint16_t{7777}}) {
        open.push_back(tcp_socket(net->client, family.domain));
        const SocketAddress local({family.client, port}, family.domain);
        need(::bind(open.back().get(), local.get(), local.length) == 0, "bind");
        check_errno(connect_errno(open.back(), server.dest()), 0, "connect after bind");
    }
    ballastd.start();
    check_equal(ballastd.in_use(server.dest()), 2, "in_use at once");
    open.clear();
    await_in_use(ballastd, server.dest(), 0);
}

Dest remote_of(const Fd& accepted, const Family& family) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    need(::getpeername(accepted.get(), reinterpret_cast<sockaddr*>(&name), &length) == 0,
         "getpeername");
    return {family.client, ntohs(reinterpret_cast<sockaddr_in*>(&name)->sin_port)};
}

/// Accepted before and after the load; their peers' addresses are governed on every port.
void inbound_is_not_counted(const Family& family) {
    auto& ballastd = prepare(limit_policy(10));
    auto& server = serve(family);
    auto& open = open_connections(net->client, server.dest(), 2);
    auto& accepted = make<std::vector<Fd>>();
    accepted.push_back(server.accept());
    accepted.push_back(server.accept());
    ballastd.start();
    open.push_back(attempt(net->client, server.dest()).socket);
    accepted.push_back(server.accept());
    ballastd.sweep();
    check_equal(ballastd.in_use(server.dest()), 3, "in_use of what connected");
    for (const auto& one : accepted)
        check_equal(ballastd.in_use(remote_of(one, family)), 0, "in_use for an accepted one");
    check_equal(ballastd.status().at("capacity").at("reservations").get<long>(), 3,
                "reservations in all");
}

/// A server that stops listening keeps what it accepted.
void inbound_without_listener(const Family& family) {
    auto& ballastd = prepare(limit_policy(10));
    auto& server = serve(family);
    open_connections(net->client, server.dest(), 1);
    auto& accepted = make<Fd>(server.accept());
    ballastd.start();
    server.close();
    ballastd.sweep();
    check_equal(ballastd.in_use(remote_of(accepted, family)), 0, "in_use for the accepted one");
    ballastd.crash();
    ballastd.start();
    check_equal(ballastd.in_use(remote_of(accepted, family)), 0, "in_use after a restart");
}

void outside_the_cgroup(const Family& family) {
    auto& ballastd = prepare(limit_policy(1));
    auto& server = serve(family);
    auto& cgroup = *ballastd.own_cgroup();
    cgroup.leave();
    open_connections(net->client, server.dest(), 2);
    ballastd.start();
    open_connections(net->client, server.dest(), 2);
    ballastd.sweep();
    check_equal(ballastd.in_use(server.dest()), 0, "in_use for those made outside");
    cgroup.enter();
    open_connections(net->client, server.dest(), 1);
    check_equal(ballastd.in_use(server.dest()), 1, "in_use with one made inside");
    check_errno(attempt(net->client, server.dest()).error, ECONNREFUSED, "second made inside");
    ballastd.sweep();
    check_equal(ballastd.in_use(server.dest()), 1, "in_use after a sweep");
}

} // namespace

TEST_GROUP(adoption) {
    return Suite()
        .shared([] { net = &make<Link>(make_link()); })
        .each(loopbacks, "older connections in the host's namespace", in_the_hosts_namespace)
        .each(families, "older connections in another namespace", in_another_namespace)
        .each(families, "connections in the first hash bucket", in_the_first_bucket)
        .add("older connections by v4-mapped addresses", v4_mapped)
        .each(families, "older connections in every state", in_every_state)
        .each(families, "bound before connecting", bound_before_connect)
        .each(families, "accepted connections are not counted", inbound_is_not_counted)
        .each(families, "nor when their listener is gone", inbound_without_listener)
        .each(families, "nor those made outside the cgroup", outside_the_cgroup)
        .run("adoption");
}

} // namespace test_adoption
