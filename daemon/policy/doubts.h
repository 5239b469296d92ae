// SPDX-License-Identifier: Apache-2.0
// Policy entries that match nothing on this host at present: valid, but perhaps typos. Each is
// reported with file, line and key; none stops anything.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "daemon/config/policy_parser.h"
#include "daemon/resolve/lookup.h"

namespace ballast::policy {

/// Time limit for looking up all names of a policy when it is checked.
inline constexpr std::chrono::seconds longest_lookups{10};

/// Elements of `from` that match none of `cgroups`, paths as for from_matches().
ProblemList unmatched_from(const std::vector<Placed<std::string>>& from,
                           const std::vector<std::string>& cgroups);

/// The same with the cgroups that exist now. If they are too many to compare or cannot be read,
/// that is the only problem returned.
ProblemList find_unmatched_from(const std::vector<Placed<std::string>>& from);

/// DNS names of `to` whose lookup has an error.
ProblemList unresolved(const std::vector<Placed<NamedTarget>>& names,
                       const std::vector<Lookup>& lookups);

/// The same, looked up now; takes up to longest_lookups.
ProblemList find_unresolved(const std::vector<Placed<NamedTarget>>& names);

} // namespace ballast::policy
