// SPDX-License-Identifier: Apache-2.0
// A stateful firewall between a client and a server, made of nftables and conntrack: it forgets a
// connection that has been silent for too long, without notifying either end.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tests/harness/netns.h"

namespace ballast::test {

struct FirewallOptions {
    std::chrono::seconds timeout;
    /// Ports of the server; what was forgotten is answered with RST there, elsewhere with nothing.
    std::vector<std::uint16_t> resets = {};
};

/// Three namespaces in a row. `families`' addresses do not hold here.
struct Firewall {
    Netns& client;
    Netns& between;
    Netns& server;

    static constexpr const char* server_v4 = "10.92.0.1";
    static constexpr const char* server_v6 = "fd92::1";
};

/// Up when it returns.
Firewall make_firewall(const FirewallOptions& options);

} // namespace ballast::test
