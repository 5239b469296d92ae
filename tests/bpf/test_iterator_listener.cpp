// SPDX-License-Identifier: Apache-2.0
// Promise: the listener that a sweep brings is the last of its namespace's, which is where the
// kernel's iterator goes on to the connections without passing over any.
#include <set>
#include <sstream>

#include <arpa/inet.h>

#include "daemon/kernel/iterator_listener.h"
#include "daemon/util/net_namespace.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/netns.h"
#include "tests/harness/registry.h"
#include "tests/harness/sockets.h"
#include "tests/harness/suite.h"

namespace test_iterator_listener {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr std::uint16_t others = 100;

/// A listener as a sweep makes it.
Fd listen_last(const Netns& where) {
    const auto maker = kernel::IteratorListener::create();
    check(maker.has_value(), maker ? "" : maker.error().text());
    Result<Fd> socket;
    check(in_net_namespace(where.fd(), [&] { socket = maker->listen(); }).has_value(), "enter");
    check(socket.has_value(), socket ? "" : socket.error().text());
    return std::move(*socket);
}

Dest bound_to(const Fd& socket) {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    need(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0, "getsockname");
    char text[INET_ADDRSTRLEN];
    return {::inet_ntop(AF_INET, &at.sin_addr, text, sizeof text), ntohs(at.sin_port)};
}

/// Ports of IPv4 listeners in the kernel's order, which is that of its hash table.
std::vector<std::uint16_t> listening_ports(const Netns& where) {
    std::istringstream rows(where.exec({"cat", "/proc/net/tcp"}));
    std::vector<std::uint16_t> ports;
    std::string line;
    std::getline(rows, line);
    while (std::getline(rows, line)) {
        std::istringstream row(line);
        std::string number, local, remote, state;
        row >> number >> local >> remote >> state;
        if (state == "0A")
            ports.push_back(
                static_cast<std::uint16_t>(std::stoul(local.substr(local.find(':') + 1), {}, 16)));
    }
    return ports;
}

/// Listeners that differ from it in the low bits of their port only are in other buckets.
void is_the_last() {
    for (int round = 0; round < 5; ++round) {
        const auto& where = make<Netns>();
        const Fd last = listen_last(where);
        const Dest own = bound_to(last);
        for (std::uint16_t n = 1; n <= others; ++n)
            make<Listener>(where, Dest{own.host, static_cast<std::uint16_t>(own.port ^ n)});
        const auto ports = listening_ports(where);
        check_equal(ports.size(), std::size_t{others} + 1, "listeners");
        check_equal(ports.back(), own.port, "the last listener's port");
    }
}

void takes_another_port() {
    const auto& where = make<Netns>();
    std::vector<Fd> taken;
    std::set<std::pair<std::string, std::uint16_t>> places;
    for (int n = 0; n < 10; ++n) {
        taken.push_back(listen_last(where));
        const Dest own = bound_to(taken.back());
        check(places.emplace(own.host, own.port).second, "a place of its own");
    }
}

} // namespace

TEST_GROUP(iterator_listener) {
    return Suite()
        .add("is the last of its namespace", is_the_last)
        .add("takes another port where one is taken", takes_another_port)
        .run("iterator_listener");
}

} // namespace test_iterator_listener
