// SPDX-License-Identifier: Apache-2.0
// Objects loaded in the kernel, as bpftool sees them: the proof that nothing was left behind.
#pragma once

#include <set>
#include <string>

#include "tests/harness/ballastd.h"

namespace ballast::test {

/// "prog 12 ballast_set_sta", "map 7 control", "link 3", attachments of cgroups, filters, pins.
using KernelObjects = std::set<std::string>;

/// All objects of this kernel, the cgroup hierarchy's attachments, the traffic control of the
/// daemon's namespace and the entries of the bpffs.
KernelObjects kernel_objects();

/// Those of a running or pinned ballastd: its maps, links, their programs, its pins.
KernelObjects objects_of(const Ballastd& ballastd);

/// Waits until nothing is there that was not there `before`; fails with what remains. The kernel
/// frees objects a moment after their last reference.
void await_no_more_than(const KernelObjects& before, Where where = Where::current());

/// Waits until none of `gone` is there.
void await_gone(const KernelObjects& gone, Where where = Where::current());

} // namespace ballast::test
