// SPDX-License-Identifier: Apache-2.0
// HOST:PORT as people give it, and the addresses that the host's resolver has for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

#include "daemon/util/address.h"
#include "daemon/util/error.h"

namespace ballast::cli {

struct Target {
    std::string host; ///< a name or an address, without brackets
    std::uint16_t port = 0;
};

/// Takes "db.internal:5432", "10.0.0.5:5432" and "[2001:db8::5]:5432".
Result<Target> parse_target(std::string_view text);

/// One address to connect to.
struct Peer {
    sockaddr_storage address{};
    socklen_t length = 0;
    Endpoint endpoint; ///< the same, for people and the daemon
};

/// In the resolver's order, at least one. Blocks for as long as the resolver does.
Result<std::vector<Peer>> resolve(const Target& target);

} // namespace ballast::cli
