// SPDX-License-Identifier: Apache-2.0
// Conflicts between services: names, targets and limits compared across all files.
#pragma once

#include <vector>

#include "daemon/config/document.h"

namespace ballast {

/// Reports names defined twice, targets claimed by two services, and counts over kMaxServices,
/// kMaxTargets, kMaxPortRanges, kMaxNames and kMaxFrom. A target that its own service repeats is a
/// warning.
void find_conflicts(const std::vector<ServiceEntry>& services, ProblemList& errors,
                    ProblemList& warnings);

/// Reports prefixes whose ports, with what shorter prefixes lend them, fall into more than
/// kMaxPortSpans spans, and the prefix with which `from` has to choose among more than
/// kMaxAlternatives candidates. `policy` holds exactly `services`, which are free of other
/// conflicts.
void find_crowded_prefixes(const Policy& policy, const std::vector<ServiceEntry>& services,
                           ProblemList& errors);

} // namespace ballast
