// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/wiring/own_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <net/if.h>
#include <netinet/in.h>

#include "daemon/kernel/namespaces.h"
#include "daemon/util/net_namespace.h"

namespace ballast::guards {

namespace {

bool is_v4(const Address& address) {
    static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::equal(mapped.begin(), mapped.end(), address.bytes.begin());
}

Result<Fd> socket_in(std::uint32_t netns, int domain, int type, const std::string& proc) {
    const auto spaces = kernel::find_net_namespaces(proc);
    if (!spaces)
        return fail(spaces.error());
    const auto space = std::ranges::find(*spaces, netns, &kernel::NetNamespace::inode);
    if (space == spaces->end())
        return fail(Error(fmt::format("network namespace {} cannot be found", netns)));
    const auto file = space->open();
    if (!file)
        return fail(file.error());
    Fd made;
    int error = 0;
    const auto been = in_net_namespace(file->get(), [&] {
        made.reset(::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        error = errno;
    });
    if (!been)
        return fail(been.error());
    if (!made)
        return fail(Error::system("make a socket", error));
    return made;
}

int domain_of(const PeerKey& peer) {
    return is_v4(peer.address) ? AF_INET : AF_INET6;
}

/// By index, which names the interface in the socket's own namespace.
Result<void> follow_route(const Fd& socket, const PeerKey& peer) {
    const int interface = static_cast<int>(peer.interface_index);
    if (interface != 0 &&
        ::setsockopt(socket.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &interface, sizeof interface))
        return fail(Error::system("bind a socket to the flow's interface", errno));
    if (peer.mark != 0 &&
        ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &peer.mark, sizeof peer.mark))
        return fail(Error::system("set the flow's mark", errno));
    return {};
}

/// 0 or the errno.
int bind_to_source(const Fd& socket, const PeerKey& peer) {
    const SocketName name = name_of(peer.source, 0, peer.interface_index);
    return ::bind(socket.get(), name.get(), name.length) ? errno : 0;
}

} // namespace

SocketName name_of(const Address& address, std::uint16_t port, std::uint32_t interface_index) {
    SocketName name;
    if (is_v4(address)) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        constexpr std::size_t v4_offset = 12;
        std::memcpy(&v4.sin_addr, &address.bytes[v4_offset], sizeof v4.sin_addr);
        std::memcpy(&name.storage, &v4, sizeof v4);
        name.length = sizeof v4;
        return name;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
    if (IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr))
        v6.sin6_scope_id = interface_index;
    std::memcpy(&name.storage, &v6, sizeof v6);
    name.length = sizeof v6;
    return name;
}

Result<Fd> socket_towards(const PeerKey& peer, const std::string& proc) {
    auto socket = socket_in(peer.netns, domain_of(peer), SOCK_STREAM, proc);
    if (!socket)
        return socket;
    if (auto followed = follow_route(*socket, peer); !followed)
        return fail(followed.error());
    // The port is chosen at connect(), with the destination in view.
    const int late = 1;
    (void)::setsockopt(socket->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    if (const int error = bind_to_source(*socket, peer); error != 0)
        return fail(Error::system("bind a socket to the flow's address", error));
    return socket;
}

Result<bool> has_source(const PeerKey& peer, const std::string& proc) {
    auto socket = socket_in(peer.netns, domain_of(peer), SOCK_DGRAM, proc);
    if (!socket)
        return fail(socket.error());
    const int error = bind_to_source(*socket, peer);
    if (error == 0)
        return true;
    if (error == EADDRNOTAVAIL)
        return false;
    return fail(Error::system("bind a socket to the flow's address", error));
}

} // namespace ballast::guards
