// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/destroy_probe.h"

#include <cerrno>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "daemon/netlink/diag.h"

namespace ballast::netlink {

namespace {

Result<Fd> listener() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in loopback{};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!socket ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) ||
        ::listen(socket.get(), 1))
        return fail(Error::system("listen on 127.0.0.1", errno));
    return socket;
}

/// The kernel looks listeners up by their own address, after connections.
Result<FlowKey> key_of(const Fd& socket) {
    const auto any = parse_address("0.0.0.0");
    const auto loopback = parse_address("127.0.0.1");
    FlowKey key{{*loopback, 0}, {*any, 0}};
    sockaddr_in name{};
    socklen_t length = sizeof name;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length))
        return fail(Error::system("getsockname", errno));
    key.local.port = ntohs(name.sin_port);
    length = sizeof key.cookie;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &key.cookie, &length))
        return fail(Error::system("getsockopt(SO_COOKIE)", errno));
    return key;
}

Result<void> destroy_it(const FlowKey& key) {
    const Fd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!own)
        return fail(Error::system("open /proc/thread-self/ns/net", errno));
    auto diag = Diag::open(own.get());
    if (!diag)
        return fail(diag.error());
    const auto destroyed = diag->destroy(key);
    if (!destroyed)
        return fail(destroyed.error());
    return *destroyed == Destroyed::destroyed
               ? Result<void>()
               : fail(Error("SOCK_DESTROY did not find a listening socket that is there"));
}

} // namespace

Result<void> try_destroy() {
    const auto socket = listener();
    if (!socket)
        return fail(socket.error());
    const auto key = key_of(*socket);
    return key ? destroy_it(*key) : fail(key.error());
}

} // namespace ballast::netlink
