// SPDX-License-Identifier: Apache-2.0
// The second witness: TCP sockets as `ss` sees them in a namespace.
#pragma once

#include <string>
#include <vector>

#include "tests/harness/netns.h"
#include "tests/harness/sockets.h"

namespace ballast::test {

struct SsRow {
    std::string state; ///< "ESTAB", "SYN-SENT", ...
    Dest local;
    Dest remote;        ///< v4-mapped addresses as IPv4
    bool owned = false; ///< has an inode: not a minisocket, not orphaned
};

/// `ss -tane` in the namespace open as `namespace_fd` (-1: the test's own), listeners left out.
std::vector<SsRow> ss(int namespace_fd);

/// Sockets to `remote` in one state.
unsigned ss_count(int namespace_fd, const Dest& remote, const std::string& state);

/// Sockets to `remote` that hold a reservation: any state but TIME-WAIT and the minisocket that
/// `ss` shows as FIN-WAIT-2 after close().
unsigned ss_held(int namespace_fd, const Dest& remote);

/// Connections that a server has on its `local` endpoint in one state.
unsigned ss_served(int namespace_fd, const Dest& local, const std::string& state);

} // namespace ballast::test
