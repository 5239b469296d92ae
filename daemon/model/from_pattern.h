// SPDX-License-Identifier: Apache-2.0
// The elements of a service's `from`: which are lawful, and which cgroups they hold for. The rule
// itself is bpf/lib/glob.h's, which programs run too.
#pragma once

#include <string_view>

#include "daemon/util/error.h"

namespace ballast {

/// Refuses what is neither a cgroup path ("/system.slice/app-*") nor the name of one component of
/// it
/// ("app-*.service"), or has more than kMaxFromLength characters.
Result<void> check_from(std::string_view pattern);

/// True if `pattern`, as check_from() accepts it, holds for the cgroup at `cgroup_path` or one
/// above it. The path is that of /proc/PID/cgroup, "/" or "/a/b"; what is longer than 255
/// characters counts up to its last whole component, as programs see no more.
bool from_matches(std::string_view pattern, std::string_view cgroup_path);

} // namespace ballast
