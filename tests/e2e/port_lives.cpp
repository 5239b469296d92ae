// SPDX-License-Identifier: Apache-2.0
// Promise (docs/ports.md): a connection that gets a port or an address from Ballast lives as one
// that the kernel gave it to. Each life is lived twice, beside each other: to a destination that is
// relieved, and to one that is not.
#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include "tests/e2e/failing.h"
#include "tests/e2e/short_of_ports.h"
#include "tests/harness/group.h"
#include "tests/harness/wait.h"

namespace test_port_lives {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int ports = 200;
// the second is deprecated, or the kernel would prefer it
const std::string more_v4 = "addr add 10.77.0.3/24 dev c0";
const std::string more_v6 = "addr add fd77::3/64 dev c0 nodad preferred_lft 0";

/// What a life is lived in.
struct World {
    const Netns& client;
    const Netns& server;
    Listener& listener;
    const Family& family;

    [[nodiscard]] const Dest& dest() const { return listener.dest(); }
    [[nodiscard]] Fd socket(int flags = 0) const {
        return tcp_socket(client, family.domain, flags);
    }
};

struct Ends {
    Fd near;
    Fd far;
};

void limit_waits(const Fd& socket) {
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    need(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
             ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0,
         "set timeouts");
}

Ends connect_by(const World& world, Fd near) {
    check_errno(connect_errno(near, world.dest()), 0, "connect()");
    Ends made{std::move(near), world.listener.accept()};
    limit_waits(made.near);
    limit_waits(made.far);
    return made;
}

Ends connect(const World& world) {
    return connect_by(world, world.socket());
}

/// Bytes that arrive of so many.
std::size_t move(const Fd& from, const Fd& to, std::size_t count) {
    std::array<char, 20'000> buffer{};
    std::size_t sent = 0, got = 0;
    while (got < count) {
        const auto most = std::min(buffer.size(), count - sent);
        const auto some =
            most == 0 ? 0 : ::send(from.get(), buffer.data(), most, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += some > 0 ? static_cast<std::size_t>(some) : 0;
        const auto read = ::recv(to.get(), buffer.data(), buffer.size(), 0);
        if (read <= 0)
            break;
        got += static_cast<std::size_t>(read);
    }
    return got;
}

std::string errno_name(int error) {
    return error == 0 ? "well" : ::strerrorname_np(error);
}

std::string slow_reader(const World& world) {
    const auto ends = connect(world);
    set_option(ends.far, SOL_SOCKET, SO_RCVBUF, 4096);
    return fmt::format("{} bytes", move(ends.near, ends.far, 300'000));
}

std::string pool(const World& world) {
    const auto ends = connect(world);
    std::size_t moved = 0;
    for (int i = 0; i < 20; ++i)
        moved += move(ends.near, ends.far, 100) + move(ends.far, ends.near, 1'000);
    return fmt::format("{} bytes", moved);
}

std::string restart(const World& world) {
    auto ends = connect(world);
    abort_connection(ends.far);
    char byte = 0;
    const auto got = ::recv(ends.near.get(), &byte, 1, 0);
    const std::string end = got == 0 ? "end" : errno_name(errno);
    const auto again = connect(world);
    return fmt::format("{}, then {} bytes", end, move(again.near, again.far, 10));
}

std::string one_way(const World& world) {
    auto ends = connect(world);
    for (int i = 0; i < 10; ++i)
        need(::send(ends.near.get(), "line\n", 5, MSG_NOSIGNAL) == 5, "send");
    ends.near.reset();
    std::size_t got = 0;
    char buffer[64];
    for (ssize_t read = 0; (read = ::recv(ends.far.get(), buffer, sizeof buffer, 0)) > 0;)
        got += static_cast<std::size_t>(read);
    return fmt::format("{} bytes", got);
}

std::string half_close(const World& world) {
    const auto ends = connect(world);
    need(::shutdown(ends.near.get(), SHUT_WR) == 0, "shutdown");
    char byte = 0;
    const auto end = ::recv(ends.far.get(), &byte, 1, 0);
    return fmt::format("{}, then {} bytes", end, move(ends.far, ends.near, 50'000));
}

std::string refused_and_again(const World& world) {
    const Fd near = world.socket();
    world.server.exec({"nft", fmt::format("add table inet no; add chain inet no in {{ type filter "
                                          "hook input priority 0 ; }}; add rule inet no in tcp "
                                          "dport {} reject with tcp reset",
                                          world.dest().port)});
    const int first = connect_errno(near, world.dest());
    world.server.exec({"nft", "delete table inet no"});
    const int second = connect_errno(near, world.dest());
    if (second == 0)
        (void)world.listener.accept();
    return errno_name(first) + ", then " + errno_name(second);
}

std::string non_blocking(const World& world) {
    const Fd near = world.socket(SOCK_NONBLOCK);
    const int first = connect_errno(near, world.dest());
    const int second = connect_result(near);
    (void)world.listener.accept();
    return errno_name(first) + ", then " + errno_name(second);
}

std::string dissolved_and_again(const World& world) {
    auto ends = connect(world);
    const sockaddr none{.sa_family = AF_UNSPEC, .sa_data = {}};
    const int first = ::connect(ends.near.get(), &none, sizeof none) == 0 ? 0 : errno;
    const auto again = connect_by(world, std::move(ends.near));
    return fmt::format("{}, then {} bytes", errno_name(first), move(again.near, again.far, 10));
}

std::string by_device(const World& world) {
    Fd near = world.socket();
    need(::setsockopt(near.get(), SOL_SOCKET, SO_BINDTODEVICE, "c0", 3) == 0, "bind to c0");
    const auto ends = connect_by(world, std::move(near));
    return fmt::format("{} bytes", move(ends.near, ends.far, 10));
}

std::string mapped(const World& world) {
    const auto ends = connect_by(world, tcp_socket(world.client, AF_INET6));
    return fmt::format("{} bytes", move(ends.near, ends.far, 10));
}

std::string of_own_address(const World& world) {
    Fd near = world.socket();
    set_option(near, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    const SocketAddress name(Dest{world.family.client, 0}, world.family.domain);
    need(::bind(near.get(), name.get(), name.length) == 0, "bind");
    const auto ends = connect_by(world, std::move(near));
    SocketAddress got = name;
    need(::getsockname(ends.near.get(), reinterpret_cast<sockaddr*>(&got.storage), &got.length) ==
             0,
         "getsockname");
    char text[INET6_ADDRSTRLEN] = "";
    const void* bytes =
        world.family.domain == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(got.storage).sin_addr)
            : &reinterpret_cast<const sockaddr_in6&>(got.storage).sin6_addr;
    need(::inet_ntop(world.family.domain, bytes, text, sizeof text) != nullptr, "inet_ntop");
    return std::string(text) == world.family.client ? "its own" : text;
}

std::string with_reuse(const World& world) {
    Fd near = world.socket();
    set_option(near, SOL_SOCKET, SO_REUSEADDR, 1);
    const auto ends = connect_by(world, std::move(near));
    int value = 0;
    socklen_t size = sizeof value;
    need(::getsockopt(ends.near.get(), SOL_SOCKET, SO_REUSEADDR, &value, &size) == 0, "get");
    return fmt::format("SO_REUSEADDR {}", value);
}

std::string behind_nat(const World& world) {
    world.client.exec({"nft", "add table inet nat; add chain inet nat out { type nat hook "
                              "postrouting priority 100 ; }; add rule inet nat out masquerade"});
    std::size_t moved = 0;
    for (int i = 0; i < 5; ++i) {
        const auto ends = connect(world);
        moved += move(ends.near, ends.far, 10);
    }
    world.client.exec({"nft", "delete table inet nat"});
    return fmt::format("{} bytes", moved);
}

/// A proxy of this host takes it up.
std::string proxied(const World& world) {
    Listener proxy(world.client, Dest{world.family.domain == AF_INET ? "0.0.0.0" : "::", 0});
    world.client.exec(
        {"nft", fmt::format("add table inet px; add chain inet px out {{ type nat hook output "
                            "priority -100 ; }}; add rule inet px out tcp dport {} redirect to "
                            ":{}",
                            world.dest().port, proxy.dest().port)});
    const Fd near = world.socket();
    check_errno(connect_errno(near, world.dest()), 0, "connect() through the proxy");
    const Fd far = proxy.accept();
    limit_waits(far);
    limit_waits(near);
    const auto moved = move(near, far, 10);
    world.client.exec({"nft", "delete table inet px"});
    return fmt::format("{} bytes", moved);
}

/// An address of the pool goes to another host.
std::string fail_over(const World& world) {
    const bool is_v4 = world.family.domain == AF_INET;
    world.client.ip(
        {std::string("addr del ") + (is_v4 ? "10.77.0.3/24" : "fd77::3/64") + " dev c0"});
    std::size_t moved = 0;
    for (int i = 0; i < 6; ++i) {
        const auto ends = connect(world);
        moved += move(ends.near, ends.far, 10);
    }
    world.client.ip({is_v4 ? more_v4 : more_v6});
    return fmt::format("{} bytes", moved);
}

std::string fast_open(const World& world) {
    Fd near = world.socket();
    set_option(near, SOL_TCP, TCP_FASTOPEN_CONNECT, 1);
    const auto ends = connect_by(world, std::move(near));
    return fmt::format("{} bytes", move(ends.near, ends.far, 10));
}

struct Life {
    const char* name;
    std::string (*live)(const World&);
    const char* wanted;
};

constexpr Life lives[] = {
    {"a slow reader", slow_reader, "300000 bytes"},
    {"a pool", pool, "22000 bytes"},
    {"a server that restarts", restart, "ECONNRESET, then 10 bytes"},
    {"a one-way log", one_way, "50 bytes"},
    {"a half-close", half_close, "0, then 50000 bytes"},
    {"refused, and again by the same socket", refused_and_again, "ECONNREFUSED, then well"},
    {"a non-blocking connect()", non_blocking, "EINPROGRESS, then well"},
    {"dissolved, and again by the same socket", dissolved_and_again, "well, then 10 bytes"},
    {"bound to a device", by_device, "10 bytes"},
    {"of an IPv6 socket", mapped, "10 bytes"},
    {"an address of the program's own", of_own_address, "its own"},
    {"SO_REUSEADDR of the program's own", with_reuse, "SO_REUSEADDR 1"},
    {"NAT on this host", behind_nat, "50 bytes"},
    {"a proxy on this host", proxied, "10 bytes"},
    {"a fail-over", fail_over, "60 bytes"},
    {"fast open", fast_open, "10 bytes"},
};

struct Case {
    const char* name;
    const char* relief;
    std::size_t family;
};

constexpr Case cases[] = {{"own_range, ipv4", "own_range", 0},
                          {"own_range, ipv6", "own_range", 1},
                          {"spread, ipv4", "spread", 0},
                          {"spread, ipv6", "spread", 1}};

long uses_of(Scene& scene, const std::string& relief, const Dest& dest) {
    const auto reliefs = scene.ballastd.get("/v1/ports").at("reliefs");
    for (const auto& row : reliefs)
        if (row.at("relief") == relief && row.at("endpoint") == dest.text())
            return row.at("uses").get<long>();
    return -1;
}

void lives_as_without_it(const Case& one) {
    const Family& family = families[one.family];
    auto& scene = crowded_scene(limit_policy(100'000, "observe"), ports);
    const auto& client = scene.link.client;
    client.ip({more_v4, more_v6});
    const World with{client, scene.link.server, serve(scene, family), family};
    const World without{client, scene.link.server, serve(scene, family), family};
    scene.ballastd.write_policy(
        fmt::format("[[service]]\nname = \"test\"\nto = [\"{}\"]\n[service.ports]\n"
                    "mode = \"enforce\"\nrelief = [\"{}\"]\n"
                    "source_pool = [\"10.77.0.3\", \"fd77::3\"]\n",
                    with.dest().text(), one.relief));
    scene.ballastd.json({"reload"});
    std::vector<Fd> held;
    for (int i = 0; i < ports / 2; ++i) {
        held.push_back(std::move(attempt(client, with.dest()).socket));
        held.push_back(with.listener.accept());
    }
    await([&] { return uses_of(scene, one.relief, with.dest()) >= 0; }, "the relief");
    for (const auto& life : lives) {
        const auto before = uses_of(scene, one.relief, with.dest());
        const auto wanted = std::string("lives ") + life.name + ": ";
        check_equal(life.live(without), std::string(life.wanted), wanted + "without");
        check_equal(life.live(with), std::string(life.wanted), wanted + "with " + one.relief);
        const bool is_bound = life.live == of_own_address || life.live == by_device;
        check(uses_of(scene, one.relief, with.dest()) > before || is_bound,
              wanted + "it was relieved");
    }
}

} // namespace

TEST_GROUP(port_lives) {
    return Suite()
        .each(cases, "lives as without it", lives_as_without_it)
        .run_at_once("port_lives", 4);
}

} // namespace test_port_lives
