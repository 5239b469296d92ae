// SPDX-License-Identifier: Apache-2.0
// Overrides on top of a policy. Pure; the result keeps the invariants of daemon/model/policy.h.
#pragma once

#include <string>
#include <vector>

#include "daemon/model/override.h"
#include "daemon/model/policy.h"

namespace ballast {

/// An override that is not in force.
struct SkippedOverride {
    std::string target;
    std::string why; ///< one sentence
};

struct MergedPolicy {
    Policy policy;
    std::vector<SkippedOverride> skipped; ///< in the order of the overrides
};

/// Applies `overrides` in their order.
/// - By service name: replaces the fields it names; origin becomes "FILE:LINE, override by ...".
/// - By endpoint: adds a service named like the endpoint, which takes that endpoint away from any
///   service that has a port range over it on the same /32 or /128 (a service may end up with no
///   target). Fields not named are those of the service that governs the endpoint without it, or,
///   where none does, the defaults: no limit, the modes of [guards]. Skipped where some consumers'
///   connections to the endpoint are governed by a service with `from`, which it would set aside.
/// One that names no service, no longer fits the limits of a policy, or contradicts what the
/// service has besides (a total below max_connections, a burst without a rate) is skipped, never an
/// error: a file may have changed since it was set. So is one that is wrong in itself. Whether one
/// has expired is the caller's business.
MergedPolicy apply_overrides(Policy policy, const std::vector<Override>& overrides);

} // namespace ballast
