// SPDX-License-Identifier: Apache-2.0
// The network namespaces of the host, found by who uses them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// A host has hundreds of them: each is opened when its turn comes, so that they never take more
/// than one of the files that a process may open.
struct NetNamespace {
    std::uint32_t inode = 0; ///< as in /proc/PID/ns/net; what the programs record
    std::string path;        ///< where it was found: of a process or a mount

    /// Opens it for setns(2). Fails where that path is gone or is another namespace's by now.
    [[nodiscard]] Result<Fd> open() const;
};

/// The daemon's own namespace first, then each other one that a process lives in (by
/// PROC/PID/ns/net of its main thread) or that is bind-mounted (ip netns, container runtimes). One
/// that only a descriptor or a socket keeps alive cannot be found. `proc` is "/proc".
Result<std::vector<NetNamespace>> find_net_namespaces(const std::string& proc);

/// The same namespace where it can be opened now: who lived in it when it was found may have ended,
/// and others not. None: no process lives there now.
Result<std::optional<NetNamespace>> where_it_is_now(const NetNamespace& space,
                                                    const std::string& proc);

} // namespace ballast::kernel
