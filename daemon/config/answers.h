// SPDX-License-Identifier: Apache-2.0
// Adds the addresses of DNS names to a policy. Pure; the result keeps the invariants of
// daemon/model/policy.h.
#pragma once

#include <string>
#include <vector>

#include "daemon/model/answers.h"
#include "daemon/model/policy.h"

namespace ballast {

struct ResolvedPolicy {
    Policy policy;
    /// Answers that are not governed, and why: "FILE:LINE: key service.to: ...". In the order
    /// of the policy, at most a few for each element of `to`.
    std::vector<std::string> notices;
};

/// Adds what `answers` has for the names of each service to its `to`; `policy` comes from files,
/// without answers. An answer that does not fit is left out, never an error:
/// - an address and port that another service has for the same consumers: literal targets go first,
///   then names in the order of the policy;
/// - more targets, ranges, spans or alternatives than a policy may have.
ResolvedPolicy apply_answers(Policy policy, const Answers& answers);

} // namespace ballast
