// SPDX-License-Identifier: Apache-2.0
// The file system that keeps programs and maps alive without a process, and its directory of pins.
#pragma once

#include <string>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::kernel {

/// Makes `bpffs_dir` (mode 0700) inside a bpffs. Where its parent is not one, a bpffs is mounted
/// there and `runtime_dir`/bpffs-mounted remembers that, so that `unload` can undo it.
Result<void> prepare_bpffs(const std::string& bpffs_dir, const std::string& runtime_dir);

/// Makes the caller the only owner of the pins until the descriptor is closed, at the latest by its
/// death. Fails at once where another process is (errno EWOULDBLOCK). `bpffs_dir` must exist.
Result<Fd> lock_pins(const std::string& bpffs_dir);

/// Unmounts what prepare_bpffs() mounted, if it did and nothing else is pinned there.
/// True when it unmounted.
Result<bool> release_bpffs(const std::string& runtime_dir);

} // namespace ballast::kernel
