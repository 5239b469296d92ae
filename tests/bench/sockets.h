// SPDX-License-Identifier: Apache-2.0
// TCP sockets as the load programs use them.
#pragma once

#include <cstddef>
#include <sys/socket.h>

#include "daemon/util/address.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::bench {

/// An endpoint as an argument of system calls; AF_INET for an IPv4 address.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    explicit SocketAddress(const Endpoint& endpoint);
    [[nodiscard]] int family() const { return storage.ss_family; }
    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

Result<Fd> tcp_socket(int family, int flags = 0);

/// 0 or the errno of connect().
int connect_errno(const Fd& socket, const SocketAddress& to);

/// Lets the kernel choose the port when the destination is known, so that ports are shared.
Result<void> bind_source(const Fd& socket, const Address& source);

/// close() will send RST: no TIME_WAIT is left to wear out the ports.
Result<void> reset_on_close(const Fd& socket);

/// Non-blocking.
Result<Fd> listen_on(const Endpoint& endpoint);

/// Raises the soft limit of open files to the hard one; fails if `count` do not fit.
Result<void> allow_open_files(std::size_t count);

} // namespace ballast::bench
