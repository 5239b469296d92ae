// SPDX-License-Identifier: Apache-2.0
// Finding the cgroup v2 hierarchy and a subtree of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// Mount point of the cgroup v2 hierarchy as /proc/self/mounts has it; never assumed, since hybrid
/// hosts mount it under "unified/".
Result<std::string> cgroup2_mount();

/// The subtree whose connections are governed.
struct CgroupRoot {
    Fd directory;
    std::string path;        ///< absolute
    std::uint64_t id = 0;    ///< inode number, which is the kernel's cgroup id
    std::uint32_t level = 0; ///< depth below the root; 0: the whole hierarchy
};

/// Opens `path`; empty means the root of the hierarchy. A relative path is taken below that root.
Result<CgroupRoot> open_cgroup(const std::string& path);

/// Path of the cgroup of that id below the root of the hierarchy, "/system.slice/a.service"; none:
/// it is gone, or cannot be looked up.
std::optional<std::string> cgroup_path(std::uint64_t id);

} // namespace ballast::kernel
