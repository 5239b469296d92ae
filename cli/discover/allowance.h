// SPDX-License-Identifier: Apache-2.0
// How many connections a measurement may open without taking what Ballast's limits leave to the
// applications.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "cli/client.h"
#include "daemon/util/address.h"

namespace ballast::cli {

/// Fewer cannot measure: one is silent, one is the witness.
constexpr std::size_t kFewestConnections = 2;

/// The limit on a destination's connections.
struct Places {
    std::string service = {}; ///< that governs it; empty: none does
    std::string limit = {};   ///< the key of the tightest limit; empty: there is none
    std::size_t most = 0;
    std::size_t in_use = 0; ///< as far as the daemon reports it
};

struct Allowance {
    std::size_t connections = 0; ///< that may be open at a time
    std::string note;            ///< what people should know of it; empty: nothing
};

/// Asks the daemon, for this process's cgroup.
Outcome<Places> ask_places(const Client& client, const Endpoint& destination);

/// Half of what is free, so that the application can go on, but no more than `wanted`. Fails where
/// fewer than kFewestConnections are free.
Outcome<Allowance> allow(const Places& places, const Endpoint& destination, std::size_t wanted);

/// Both. Without a daemon `wanted` are allowed, and the note says so.
Outcome<Allowance> ask_allowance(const Client& client, const Endpoint& destination,
                                 std::size_t wanted);

} // namespace ballast::cli
