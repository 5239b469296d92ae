// SPDX-License-Identifier: Apache-2.0
// The requests that go to the kernel's socket diagnosis, as bytes. Nothing here does I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "daemon/model/diag_socket.h"

namespace ballast::netlink {

/// One netlink message, ready to be sent.
using Message = std::vector<std::byte>;

/// Whether a key names one socket: it has a cookie, and its addresses are of one IP version. The
/// cookie 2^64-1 would match any socket at these addresses (net/core/sock_diag.c,
/// sock_diag_check_cookie()), so no request may ever carry it.
Result<void> check_key(const FlowKey& key);

/// Asks for the socket of `key`. The answer is one socket or an error, without an acknowledgement.
Message find_request(const FlowKey& key, std::uint32_t sequence);

/// Requests that the socket of `key` be destroyed and the outcome be reported.
Message destroy_request(const FlowKey& key, std::uint32_t sequence);

/// Asks for all sockets of `family` (AF_INET, AF_INET6) in a synchronised state, TIME_WAIT apart,
/// whose peer is `address`, `port` (0: any). AF_INET6 with an IPv4 address: the v4-mapped ones.
Message flows_request(std::uint8_t family, const Address& address, std::uint16_t port,
                      std::uint32_t sequence);

/// The same of those in TIME_WAIT, but not of what close() left in FIN_WAIT2.
Message waiting_request(std::uint8_t family, const Address& address, std::uint16_t port,
                        std::uint32_t sequence);

/// Asks for the TCP sockets of no state: costs nothing, and fails where TCP has no diagnosis.
Message nothing_request(std::uint32_t sequence);

} // namespace ballast::netlink
