// SPDX-License-Identifier: Apache-2.0
// TCP sockets of a test: made in a namespace of its choice, driven one call at a time.
#pragma once

#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>

#include "daemon/util/fd.h"
#include "tests/harness/netns.h"

namespace ballast::test {

/// An address literal and a port.
struct Dest {
    std::string host;
    std::uint16_t port = 0;

    /// As Ballast prints it: "10.77.0.2:80", "[fd77::2]:80".
    [[nodiscard]] std::string text() const;
    [[nodiscard]] bool v4() const { return host.find(':') == std::string::npos; }
    bool operator==(const Dest&) const = default;
};

/// A destination as an argument of system calls.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    /// For a socket of `domain`: an IPv4 address becomes v4-mapped in AF_INET6.
    SocketAddress(const Dest& dest, int domain);
    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

/// A TCP socket in the namespace; `flags` such as SOCK_NONBLOCK.
Fd tcp_socket(const Netns& where, int domain, int flags = 0);

/// connect() on the socket; 0 or its errno.
int connect_errno(const Fd& socket, const Dest& dest);

/// The outcome of a connection attempt: a connected socket, or why not.
struct Attempt {
    Fd socket;
    int error = 0;
};

/// A blocking connect() from a new socket of the destination's own family.
Attempt attempt(const Netns& where, const Dest& dest);

/// A socket in SYN_SENT: connecting to a destination that answers nothing, non-blocking.
Fd connecting(const Netns& where, const Dest& silent);

/// Waits until connect() on a non-blocking socket is decided; 0 or the errno.
int connect_result(const Fd& socket);

/// TCP state of a socket (TCP_ESTABLISHED ...), by TCP_INFO.
int tcp_state(const Fd& socket);

void set_option(const Fd& socket, int level, int name, int value);

/// Closes with RST instead of FIN: no state lingers anywhere.
void abort_connection(Fd& socket);

/// A listening socket; connections wait in its backlog until accept() takes them.
class Listener {
public:
    /// Port 0: the kernel chooses.
    Listener(const Netns& where, const Dest& dest, int backlog = 4096);

    [[nodiscard]] const Dest& dest() const { return dest_; }
    [[nodiscard]] const Fd& socket() const { return socket_; }
    /// Waits for a connection and takes it.
    Fd accept();
    /// Closes the listener; connections not yet accepted are reset.
    void close() { socket_.reset(); }

private:
    Dest dest_;
    Fd socket_;
};

} // namespace ballast::test
