// SPDX-License-Identifier: Apache-2.0
// What a policy says that this host does not know at present: lawful, and perhaps a slip of the
// pen. All of it is told with file, line and key, and stops nothing.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "daemon/config/policy_parser.h"
#include "daemon/resolve/lookup.h"

namespace ballast::app {

/// How long all names of a policy together may take to be looked up when it is checked.
inline constexpr std::chrono::seconds longest_lookups{10};

/// Elements of `from` that hold for none of `cgroups`, paths as of from_matches().
ProblemList unmatched_from(const std::vector<Placed<std::string>>& from,
                           const std::vector<std::string>& cgroups);

/// The same with the cgroups that there are now. Where these are too many to be compared, or cannot
/// be read, the one problem is that.
ProblemList find_unmatched_from(const std::vector<Placed<std::string>>& from);

/// DNS names of `to` whose lookup has an error.
ProblemList unresolved(const std::vector<Placed<NamedTarget>>& names,
                       const std::vector<Lookup>& lookups);

/// The same, looked up now; takes up to longest_lookups.
ProblemList find_unresolved(const std::vector<Placed<NamedTarget>>& names);

} // namespace ballast::app
