// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/sockets.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <sys/resource.h>

namespace ballast::bench {
namespace {

constexpr int kBacklog = 65535; // the kernel takes less if net.core.somaxconn says so

Result<void> set_option(const Fd& socket, int level, int name, const void* value,
                        socklen_t length) {
    if (::setsockopt(socket.get(), level, name, value, length) != 0)
        return fail(Error::system(fmt::format("setsockopt({}, {})", level, name), errno));
    return {};
}

} // namespace

SocketAddress::SocketAddress(const Endpoint& endpoint) {
    constexpr std::size_t mapped_head = 12;
    if (endpoint.address.is_v4()) {
        auto* in = reinterpret_cast<sockaddr_in*>(&storage);
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint.port);
        std::memcpy(&in->sin_addr, &endpoint.address.bytes[mapped_head], sizeof in->sin_addr);
        length = sizeof *in;
        return;
    }
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint.port);
    std::memcpy(&in6->sin6_addr, endpoint.address.bytes.data(), sizeof in6->sin6_addr);
    length = sizeof *in6;
}

Result<Fd> tcp_socket(int family, int flags) {
    Fd made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    if (!made)
        return fail(Error::system("socket()", errno));
    return made;
}

int connect_errno(const Fd& socket, const SocketAddress& to) {
    return ::connect(socket.get(), to.get(), to.length) == 0 ? 0 : errno;
}

Result<void> bind_source(const Fd& socket, const Address& source) {
    constexpr int on = 1;
    const SocketAddress local(Endpoint{source, 0});
    auto late = set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (!late)
        return late;
    if (::bind(socket.get(), local.get(), local.length) != 0)
        return fail(Error::system(fmt::format("bind() to {}", source.text()), errno));
    return {};
}

Result<void> reset_on_close(const Fd& socket) {
    constexpr linger at_once{.l_onoff = 1, .l_linger = 0};
    return set_option(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Result<Fd> listen_on(const Endpoint& endpoint) {
    constexpr int on = 1;
    const SocketAddress local(endpoint);
    auto socket = tcp_socket(local.family(), SOCK_NONBLOCK);
    if (!socket)
        return socket;
    auto reused = set_option(*socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!reused)
        return fail(reused.error());
    if (::bind(socket->get(), local.get(), local.length) != 0 ||
        ::listen(socket->get(), kBacklog) != 0)
        return fail(Error::system(fmt::format("listening on {}", endpoint.text()), errno));
    return socket;
}

Result<void> allow_open_files(std::size_t count) {
    constexpr std::size_t spare = 64;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return fail(Error::system("getrlimit(RLIMIT_NOFILE)", errno));
    limit.rlim_max = std::max<rlim_t>(limit.rlim_max, limit.rlim_cur);
    if (limit.rlim_max < count + spare)
        return fail(Error(fmt::format("{} open files are needed, the hard limit is {}",
                                      count + spare, limit.rlim_max))
                        .hint("raise it with ulimit -Hn, or ask for fewer connections"));
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return fail(Error::system("setrlimit(RLIMIT_NOFILE)", errno));
    return {};
}

} // namespace ballast::bench
