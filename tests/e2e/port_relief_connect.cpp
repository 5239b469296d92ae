// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): what may be done for one destination that runs out of local ports is
// done for its connections alone, where they begin or end, and is gone with the daemon.
#include <map>

#include <arpa/inet.h>

#include "tests/e2e/failing.h"
#include "tests/e2e/short_of_ports.h"
#include "tests/harness/group.h"
#include "tests/harness/sandbox.h"
#include "tests/harness/wait.h"

namespace test_port_relief_connect {

using namespace ballast;
using namespace ballast::test;
using std::chrono::milliseconds;

namespace {

bool is_in_range(int port) {
    return port >= first_port && port < first_port + few_ports;
}

/// IP_LOCAL_PORT_RANGE, where the kernel has it.
void leaves_a_range_of_its_own_alone(const Netns& client, const Dest& dest, const Family& family) {
    constexpr int ip_local_port_range = 51;                // include/uapi/linux/in.h
    constexpr std::uint32_t first = 33'900, last = 33'909; // beside what is in use
    client.exec(
        {"sysctl", "-qw", fmt::format("net.ipv4.ip_local_port_range={} {}", first_port, 33'999)});
    const Fd socket = tcp_socket(client, family.domain);
    const std::uint32_t range = last << 16 | first;
    if (::setsockopt(socket.get(), IPPROTO_IP, ip_local_port_range, &range, sizeof range) != 0) {
        check_equal(errno, ENOPROTOOPT, "an older kernel");
        return;
    }
    check_errno(connect_errno(socket, dest), 0, "connect()");
    const auto port = static_cast<std::uint32_t>(port_of(socket));
    check(port >= first && port <= last, "a port of the program's range");
}

/// Ports outside the range, for this destination alone, until the daemon is gone.
void gives_ports_of_its_own(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    client.exec({"sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=10000-10999"});
    auto& listener = serve(scene, family);
    auto& other = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"own_range\""));
    auto& held = open_connections(client, listener.dest(), few_ports / 2);
    await([&] { return !relief_row(scene, "own_range", listener.dest()).is_null(); }, "the relief");
    // more than the range has
    for (int i = 0; i < 2 * few_ports; ++i) {
        auto made = attempt(client, listener.dest());
        check_errno(made.error, 0, "connect()");
        const int port = port_of(made.socket);
        check(!is_in_range(port), "the port is outside the range");
        check(port < 10'000 || port > 10'999, "and not reserved");
        int reuse = 1;
        socklen_t size = sizeof reuse;
        need(::getsockopt(made.socket.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, &size) == 0, "get");
        check_equal(reuse, 0, "SO_REUSEADDR of the program's socket");
        held.push_back(std::move(made.socket));
    }
    check(is_in_range(port_of(attempt(client, other.dest()).socket)), "of another destination");
    const auto row = relief_row(scene, "own_range", listener.dest());
    check(row.at("uses").get<int>() >= 2 * few_ports, row.dump());
    Fd bound = tcp_socket(client, family.domain);
    const SocketAddress name(Dest{family.client, 20'000}, family.domain);
    need(::bind(bound.get(), name.get(), name.length) == 0, "bind");
    check_errno(connect_errno(bound, listener.dest()), 0, "connect() of a bound socket");
    check_equal(port_of(bound), 20'000, "its port");
    leaves_a_range_of_its_own_alone(client, listener.dest(), family);
    scene.ballastd.crash();
    check(port_of(attempt(client, listener.dest()).socket) >= first_port, "after kill -9");
}

/// All but the first, so that no TIME_WAIT keeps their ports.
void let_go(std::vector<Fd>& held, std::size_t all_but) {
    for (const Fd& fd : held) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        need(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0, "set");
    }
    held.resize(all_but);
}

std::string address_of(const Fd& socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    char text[INET6_ADDRSTRLEN] = "";
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0,
         "getsockname");
    const void* address =
        name.ss_family == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&name)->sin_addr)
            : &reinterpret_cast<const sockaddr_in6*>(&name)->sin6_addr;
    return ::inet_ntop(name.ss_family, address, text, sizeof text);
}

/// As many ports as the range has, for each address.
void spreads_over_sources(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    client.ip({"addr add 10.77.0.3/24 dev c0", "addr add fd77::3/64 nodad dev c0"});
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"spread\""));
    auto& held = open_connections(client, listener.dest(), few_ports / 2);
    await([&] { return !relief_row(scene, "spread", listener.dest()).is_null(); }, "the relief");
    std::map<std::string, int> sources;
    for (int i = 0; i < few_ports; ++i) {
        auto made = attempt(client, listener.dest());
        check_errno(made.error, 0, "connect()");
        ++sources[address_of(made.socket)];
        held.push_back(std::move(made.socket));
    }
    check_equal(sources.size(), std::size_t(2), "sources");
    for (const auto& [source, connections] : sources)
        check_equal(connections, few_ports / 2, source);
    const auto row = relief_row(scene, "spread", listener.dest());
    check_equal(row.at("uses").get<int>(), few_ports, row.dump());
    check_equal(row.at("missed").get<int>(), 0, row.dump());
    scene.ballastd.crash();
    let_go(held, few_ports / 2);
    for (int i = 0; i < 10; ++i) {
        auto made = attempt(client, listener.dest());
        check_equal(address_of(made.socket), address_of(held.front()), "after kill -9");
        held.push_back(std::move(made.socket));
    }
}

/// Past the wall and on, by the ports of what no longer waits for anything.
void reaps_time_wait(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"reap\""));
    answer(listener);
    auto& held = open_connections(client, listener.dest(), 5);
    auto& churning = churn(client, {listener.dest()}, 12);
    await([&] { return !relief_row(scene, "reap", listener.dest()).is_null(); }, "the relief");
    await(
        [&] {
            return port_row(scene, listener.dest()).at("ports").at("used") >= few_ports * 3 / 4;
        },
        "most of its ports");
    await([&] { return relief_row(scene, "reap", listener.dest()).at("uses") >= few_ports / 10; },
          "what it ended");
    check(!churning.wait(milliseconds(0)).has_value(), "no connect() fails");
    check_equal(client.exec({"sysctl", "-n", "net.ipv4.tcp_tw_reuse"}), std::string("2\n"),
                "tcp_tw_reuse");
    for (const Fd& fd : held)
        check(::send(fd.get(), "x", 1, MSG_NOSIGNAL) == 1, "what is in use stays");
    scene.ballastd.crash(); // nothing is left of it: the kernel's own ends are waited for again
    check_equal(churning.wait(milliseconds(60'000)).value_or(-1), EADDRNOTAVAIL, "after kill -9");
}

/// Where no port is left, the second connect() and those after it fail without a search.
void refuses_at_once(const Family& family) {
    auto& scene = calm_scene();
    const auto& client = scene.link.client;
    auto& listener = serve(scene, family);
    enact(scene, relief_of("test", listener.dest(), "\"refuse\""));
    auto& held = open_connections(client, listener.dest(), few_ports);
    await([&] { return !relief_row(scene, "refuse", listener.dest()).is_null(); }, "the relief");
    check_errno(attempt(client, listener.dest()).error, EADDRNOTAVAIL, "that searches");
    for (int i = 0; i < 20; ++i)
        check_errno(attempt(client, listener.dest()).error, EADDRNOTAVAIL, "that does not");
    await([&] { return relief_row(scene, "refuse", listener.dest()).at("uses") >= 10; },
          "refusals");
    let_go(held, few_ports / 2);
    check(log_lines(scene, {"finding reason=breaker_", listener.dest().text()}).empty(),
          "the destination did not fail");
    await([&] { return attempt(client, listener.dest()).error == 0; }, "a port that is free again");
    scene.ballastd.crash();
    check_errno(attempt(client, listener.dest()).error, 0, "connect() after kill -9");
}

} // namespace

TEST_GROUP(port_relief_connect) {
    return Suite()
        .each(families, "gives ports of its own", gives_ports_of_its_own)
        .each(families, "spreads over sources", spreads_over_sources)
        .host_each(families, "reaps TIME_WAIT", reaps_time_wait)
        .each(families, "refuses at once", refuses_at_once)
        .run_at_once("port_relief_connect", 4);
}

} // namespace test_port_relief_connect
