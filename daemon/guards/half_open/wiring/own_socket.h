// SPDX-License-Identifier: Apache-2.0
// Sockets of the daemon's own in another network namespace, made like a flow of a program's: by the
// same address, interface and mark, so that the kernel routes them alike.
#pragma once

#include <string>

#include <sys/socket.h>

#include "daemon/model/half_open.h"
#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::guards {

/// A TCP socket, non-blocking, bound to the peer's source with a port of the kernel's choice. Of
/// the peer's own family: IPv6 may be disabled. `proc` is "/proc", where namespaces are found.
Result<Fd> socket_towards(const PeerKey& peer, const std::string& proc);

/// Whether the namespace has the address that the peer's flows come from.
Result<bool> has_source(const PeerKey& peer, const std::string& proc);

/// The peer's address and port, for connect().
struct SocketName {
    sockaddr_storage storage{};
    socklen_t length = 0;

    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};
/// `interface_index`: the scope of a link-local address.
SocketName name_of(const Address& address, std::uint16_t port, std::uint32_t interface_index);

} // namespace ballast::guards
