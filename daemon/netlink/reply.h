// SPDX-License-Identifier: Apache-2.0
// Parses the answers of the kernel's socket diagnosis. Nothing here does I/O, and nothing in a
// datagram is trusted: every length is checked against what was received.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/model/diag_socket.h"

namespace ballast::netlink {

/// The request that a datagram answers: messages of other requests in it are skipped.
struct Addressee {
    std::uint32_t sequence = 0;
    std::uint32_t port_id = 0; ///< of the netlink socket
};

/// One datagram of an answer.
struct Reply {
    std::vector<DiagSocket> sockets;
    bool complete = false;    ///< nothing more will come
    int error = 0;            ///< the kernel's, a positive errno; then `complete` too
    bool interrupted = false; ///< NLM_F_DUMP_INTR: the tables changed while being dumped

    bool operator==(const Reply&) const = default;
};

/// Parses one datagram; `bytes` is aligned to 4. Fails when it is cut short or malformed anywhere,
/// or says that messages were lost (NLMSG_OVERRUN): then nothing of it is used.
Result<Reply> parse_reply(std::span<const std::byte> bytes, const Addressee& addressee);

} // namespace ballast::netlink
