// SPDX-License-Identifier: Apache-2.0
// Policy files as text -> the validated policy, or everything that is wrong with them. Pure.
#pragma once

#include <optional>
#include <vector>

#include "daemon/config/document.h"
#include "daemon/config/problem.h"
#include "daemon/model/policy.h"

namespace ballast {

struct PolicyReport {
    std::optional<Policy> policy; ///< present exactly if `errors` is empty
    ProblemList errors;
    ProblemList warnings;                  ///< lawful but surely not meant; nothing depends on them
    std::vector<Placed<std::string>> from; ///< each element of `from` of a policy without errors
    std::vector<Placed<NamedTarget>> names; ///< the same of DNS names in `to`

    /// The policy, or the errors joined to one Error.
    [[nodiscard]] Result<Policy> result() const;
};

/// Combines `sources` in their order: a later [daemon], [guards] or [governor] key replaces an
/// earlier, services add up. No sources at all give the default policy, which governs nothing.
/// `errors` holds what went wrong before, such as files that could not be read.
PolicyReport parse_policy(const std::vector<PolicySource>& sources, ProblemList errors = {});

} // namespace ballast
