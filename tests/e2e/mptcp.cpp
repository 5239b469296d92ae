// SPDX-License-Identifier: Apache-2.0
// Promise: an MPTCP connection counts once, however many subflows it has, and none of them is
// refused.
#include "tests/e2e/scene.h"
#include "tests/harness/group.h"

#include <cerrno>
#include <sys/socket.h>

namespace test_mptcp {

using namespace ballast;
using namespace ballast::test;

namespace {

constexpr int protocol_mptcp = 262; // include/uapi/linux/in.h, IPPROTO_MPTCP
constexpr unsigned subflows = 3;

Scene* scene = nullptr;

Fd mptcp_socket(const Netns& where, int domain) {
    const Inside inside(where.fd());
    return Fd(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, protocol_mptcp));
}

Fd mptcp_listener(const Dest& dest) {
    const int domain = dest.v4() ? AF_INET : AF_INET6;
    auto socket = mptcp_socket(scene->link.server, domain);
    need(static_cast<bool>(socket), "socket(IPPROTO_MPTCP)");
    const SocketAddress address(dest, domain);
    need(::bind(socket.get(), address.get(), address.length) == 0, "bind");
    need(::listen(socket.get(), 16) == 0, "listen");
    return socket;
}

/// Two more addresses of the client, from which it opens further subflows.
void add_paths(const Family& family) {
    const bool v4 = family.domain == AF_INET;
    std::vector<std::string> addresses;
    for (const char* last : {"21", "22"}) {
        const auto address = fmt::format("{}{}", v4 ? "10.77.0." : "fd77::", last);
        addresses.push_back(fmt::format("addr add {}{} dev c0", address, v4 ? "/24" : "/64 nodad"));
        addresses.push_back(fmt::format("mptcp endpoint add {} dev c0 subflow", address));
    }
    scene->link.client.ip(addresses);
    for (const auto* end : {&scene->link.client, &scene->link.server})
        end->exec({"ip", "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4"});
}

/// The subflows are opened by the kernel, once the first data was acknowledged.
void exchange(const Fd& near, const Fd& far) {
    char byte = 'x';
    need(::send(near.get(), &byte, 1, MSG_NOSIGNAL) == 1, "send");
    need(::recv(far.get(), &byte, 1, 0) == 1, "recv");
    need(::send(far.get(), &byte, 1, MSG_NOSIGNAL) == 1, "send");
    need(::recv(near.get(), &byte, 1, 0) == 1, "recv");
}

unsigned established(const Dest& dest) {
    return ss_count(scene->link.client.fd(), dest, "ESTAB");
}

struct Connection {
    Fd near;
    Fd far;
};

Connection connect_by_mptcp(const Family& family, const Dest& dest, const Fd& listener) {
    Connection made{mptcp_socket(scene->link.client, family.domain), Fd()};
    const SocketAddress own(Dest{family.client, 0}, family.domain); // not one of the further paths
    need(::bind(made.near.get(), own.get(), own.length) == 0, "bind");
    check_errno(connect_errno(made.near, dest), 0, "connect by MPTCP");
    made.far.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    exchange(made.near, made.far);
    await_equal([&] { return established(dest); }, subflows, "established subflows");
    return made;
}

void counts_once(const Family& family) {
    scene = &make_scene(limit_policy(1));
    add_paths(family);
    const Dest dest{family.server, 31000};
    auto& listener = make<Fd>(mptcp_listener(dest));
    auto& open = make<Connection>(connect_by_mptcp(family, dest, listener));
    check_equal(scene->ballastd.in_use(dest), 1L, "in_use of one connection");
    check_equal(scene->ballastd.value(dest, "refused"), 0L, "refused subflows");
    auto& second = make<Fd>(mptcp_socket(scene->link.client, family.domain));
    check_errno(connect_errno(second, dest), ECONNREFUSED, "a second connection");
    scene->ballastd.sweep();
    check_equal(scene->ballastd.in_use(dest), 1L, "in_use after a sweep");
    open.near.reset();
    open.far.reset();
    await_in_use(scene->ballastd, dest, 0);
}

/// Its first path is gone; the connection lives on.
void counts_without_the_first(const Family& family) {
    scene = &make_scene(limit_policy(3));
    add_paths(family);
    const Dest dest{family.server, 31000};
    auto& listener = make<Fd>(mptcp_listener(dest));
    auto& open = make<Connection>(connect_by_mptcp(family, dest, listener));
    const bool v4 = family.domain == AF_INET;
    const auto first = v4 ? std::string(family.client) : fmt::format("[{}]", family.client);
    scene->link.client.exec({"ss", "-K", "src", first, "dst", dest.text()});
    await([&] { return established(dest) == subflows - 1; }, "the first subflow is gone");
    await(scene->ballastd.sweeping(
              [&] { return scene->ballastd.in_use(dest) == long{subflows} - 1; }),
          "a sweep counts what is left");
    open.near.reset();
    open.far.reset();
    await_in_use(scene->ballastd, dest, 0);
}

} // namespace

TEST_GROUP(mptcp) {
    return Suite()
        .each(families, "one connection of three subflows counts once", counts_once)
        .each(families, "without its first subflow it is counted by the others",
              counts_without_the_first)
        .run("mptcp");
}

} // namespace test_mptcp
