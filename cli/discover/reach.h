// SPDX-License-Identifier: Apache-2.0
// Which of a target's addresses is taken: the first that accepts a connection.
#pragma once

#include <vector>

#include "cli/client.h"
#include "cli/discover/allowance.h"
#include "cli/discover/target.h"

namespace ballast::cli {

struct Reached {
    Peer peer;
    Allowance allowance;
};

/// Asks for each what Ballast allows, and connects once. Waits 3 s for each. Fails with the last
/// reason.
Outcome<Reached> reach(const std::vector<Peer>& peers, const Client& client, std::size_t wanted);

/// Why no connection could be opened, and what to do. A refusal may be Ballast's own.
Failure unopened(const Peer& peer, int errno_value, const Client& client);

} // namespace ballast::cli
