// SPDX-License-Identifier: Apache-2.0
// Operations on a loaded Ballast through its pins alone, with the daemon dead or alive.
#pragma once

#include <string>
#include <vector>

#include "daemon/util/error.h"

namespace ballast::kernel {

/// Kill switch: false puts every guard in observe at once, by writing the pinned control map.
/// Returns the previous setting. Fails when nothing is pinned at `bpffs_dir`, or on an ABI of
/// another version (both versions are named).
Result<bool> set_armed(const std::string& bpffs_dir, bool armed);

/// Removes every pin under `bpffs_dir` (links first, so nothing runs half-way), the directory, and
/// the bpffs mount if Ballast had made it (`runtime_dir` remembers that). Returns the paths that
/// were removed; none is not an error. Refused while a ballastd that owns the pins is running,
/// since its programs would stay attached.
Result<std::vector<std::string>> unload(const std::string& bpffs_dir,
                                        const std::string& runtime_dir);

} // namespace ballast::kernel
