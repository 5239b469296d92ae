// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/loopback.h"

#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>

#include "daemon/util/address.h"

namespace ballast::api {
namespace {

constexpr int kLoopbackBacklog = 64;

bool is_loopback(const Address& address) {
    const auto& bytes = address.bytes;
    return address.is_v4() ? bytes[12] == 127 : address == parse_address("::1").value_or(Address{});
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

/// An IPv4 address as AF_INET: the host may have IPv6 switched off.
SocketAddress socket_address(const Endpoint& endpoint) {
    SocketAddress made;
    if (endpoint.address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(endpoint.port);
        std::memcpy(&v4.sin_addr, &endpoint.address.bytes[12], sizeof(v4.sin_addr));
        made.length = sizeof(v4);
        std::memcpy(&made.storage, &v4, sizeof(v4));
        return made;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), sizeof(v6.sin6_addr));
    made.length = sizeof(v6);
    std::memcpy(&made.storage, &v6, sizeof(v6));
    return made;
}

} // namespace

Result<Fd> listen_loopback(const std::string& text) {
    const auto endpoint = parse_endpoint(text);
    if (!endpoint)
        return fail(endpoint.error());
    if (!is_loopback(endpoint->address))
        return fail(Error(text + " is not a loopback address")
                        .hint("the API has no passwords; use 127.0.0.1 or ::1"));
    const SocketAddress address = socket_address(*endpoint);
    Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd)
        return fail(Error::system("socket() for " + text, errno));
    const int on = 1; // a restart would otherwise wait for TIME_WAIT of the last scrape
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return fail(Error::system("setsockopt(SO_REUSEADDR) for " + text, errno));
    if (::bind(fd.get(), address.get(), address.length) != 0)
        return fail(Error::system("bind " + text, errno));
    if (::listen(fd.get(), kLoopbackBacklog) != 0)
        return fail(Error::system("listen on " + text, errno));
    return fd;
}

} // namespace ballast::api
