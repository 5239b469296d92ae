// SPDX-License-Identifier: Apache-2.0
// A policy as the kernel looks it up: one longest-prefix match, then the ports below it.
// Matching order: the longest prefix that has the port wins; on one prefix a port range goes before
// any-port. Shorter prefixes are resolved into longer ones, so that one lookup is enough.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/model/policy.h"

namespace ballast {

/// Ports from `first` up to the next span's `first` (host byte order).
struct PortSpan {
    std::uint16_t first = 0;
    std::uint16_t service = 0; ///< index of Policy::services plus 1; 0: governed by none

    bool operator==(const PortSpan&) const = default;
};

/// Invariant: spans[0].first is 0, `first` ascends, neighbours differ in `service`.
struct PrefixRule {
    Prefix prefix;
    std::vector<PortSpan> spans;

    bool operator==(const PrefixRule&) const = default;
};

/// One rule for each distinct prefix of the policy, in ascending order of prefix. A policy that
/// keeps its invariants gives at most kMaxTargets rules of at most kMaxPortSpans spans.
std::vector<PrefixRule> prefix_rules(const Policy& policy);

/// The spans that hold at `prefix`: what prefix_rules() gives for it, or would if it were a target.
std::vector<PortSpan> port_spans(const Policy& policy, const Prefix& prefix);

} // namespace ballast
