// SPDX-License-Identifier: Apache-2.0
// Real connections of every kind, and what identifies their sockets.
#pragma once

#include <string>
#include <vector>

#include "daemon/netlink/diag.h"
#include "tests/harness/sockets.h"

namespace ballast::test {

/// A kind of socket that connects to the server.
struct Kind {
    const char* name;
    int domain;         ///< of the client's socket
    const char* client; ///< its address
    const char* server;
};

extern const std::vector<Kind> kinds;

/// A connection, both ends.
struct Pair {
    Fd client;
    Fd server;
};

/// Connects from `where`; `port` is the client's own, 0: the kernel chooses.
Pair connect_pair(const Netns& where, const Kind& kind, Listener& listener, std::uint16_t port = 0);

/// The socket as the kernel would have to be asked for it.
FlowKey key_of(const Fd& socket);

/// A session in the namespace; the test ends when it cannot be had.
netlink::Diag diag_in(const Netns& where);

/// The kernel's entry for a socket that must exist.
DiagSocket must_find(netlink::Diag& diag, const FlowKey& key);

/// That there is none with that cookie, and that destroying it destroys nothing.
void check_gone(netlink::Diag& diag, const FlowKey& key);

/// That a byte goes each way.
void check_alive(const Pair& pair);

/// Runs `body` in a child that has lost all privileges since it was forked; its asserts fail the
/// test.
void as_nobody(const std::function<void()>& body);

/// Gives up root for good, in the calling thread.
void become_nobody();

} // namespace ballast::test
