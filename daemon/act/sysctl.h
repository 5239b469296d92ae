// SPDX-License-Identifier: Apache-2.0
// Sysctls of a network namespace. They belong to the namespace of the thread that opens them
// (net/sysctl_net.c, net_ctl_header_lookup()), so no process has to run there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "daemon/kernel/namespaces.h"
#include "daemon/util/error.h"

namespace ballast::act {

/// A network namespace. An inode number is given to another once it has gone; a cookie is not,
/// until the next boot (SO_NETNS_COOKIE).
struct Space {
    std::uint32_t inode = 0;
    std::uint64_t cookie = 0;

    bool operator==(const Space&) const = default;
};

/// Runs `act` with the calling thread in the namespace with that inode number, which some process
/// has to live in, or some mount to hold; ENOENT where none does, and ESTALE where it is another's
/// by now, as `cookie` shows (0: whichever it is). `where` is where it was found last, which saves
/// the search; it is not kept open, since that would keep it alive.
Result<void> in_space(kernel::NetNamespace& where, std::uint64_t cookie,
                      const std::function<void()>& act);

/// The namespace that the thread is in.
Result<Space> own_space();

/// The value of `name`, "net/ipv4/ip_local_port_range", in the thread's namespace: words with one
/// blank between them.
Result<std::string> read_sysctl(const std::string& name);
/// EINVAL and others as the kernel has them.
Result<void> write_sysctl(const std::string& name, const std::string& value);

} // namespace ballast::act
