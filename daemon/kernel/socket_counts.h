// SPDX-License-Identifier: Apache-2.0
// How many TCP sockets a network namespace has, as the kernel counts them, which costs no walk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/kernel/namespaces.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

struct SocketCounts {
    /// In the hash tables: listeners and connections in any state but TIME_WAIT, of both IP
    /// versions (net/ipv4/proc.c, sockstat_seq_show(); net/ipv6/proc.c, sockstat6_seq_show()).
    std::uint64_t hashed = 0;
    std::uint64_t time_wait = 0; ///< of both
};

/// Of the texts of /proc/net/sockstat and sockstat6; the latter is empty where there is no IPv6.
/// Fails where the first has no line of TCP.
Result<SocketCounts> parse_socket_counts(std::string_view sockstat, std::string_view sockstat6);

/// Fails where the namespace's files cannot be read: its process may have ended. `proc` is "/proc".
Result<SocketCounts> count_sockets(const NetNamespace& space, const std::string& proc);

} // namespace ballast::kernel
