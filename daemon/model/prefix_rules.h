// SPDX-License-Identifier: Apache-2.0
// A policy as the kernel looks it up: one longest-prefix match, then the ports below it, then the
// first candidate whose `from` holds for the consumer.
// Matching order: the longest prefix that has the port wins; on one prefix a port range goes before
// any-port, then a service with `from` before one without. A service whose `from` does not hold
// gives way to the next in this order. Shorter prefixes are resolved into longer ones, so that one
// lookup is enough.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/model/candidates.h"
#include "daemon/model/policy.h"

namespace ballast {

/// Ports from `first` up to the next span's `first` (host byte order).
struct PortSpan {
    std::uint16_t first = 0;
    std::uint32_t list = 0; ///< index of PrefixRules::lists; 0: governed by none

    bool operator==(const PortSpan&) const = default;
};

/// Invariant: spans[0].first is 0, `first` ascends, neighbours differ in `list`.
struct PrefixRule {
    Prefix prefix;
    std::vector<PortSpan> spans;

    bool operator==(const PrefixRule&) const = default;
};

struct PrefixRules {
    std::vector<Candidates> lists; ///< distinct; lists[0] is empty
    std::vector<PrefixRule> rules; ///< one for each distinct prefix, ascending
    /// The prefix with which the lists exceed kMaxAlternatives; the rules end there. None for a
    /// policy that keeps its invariants, which has at most kMaxTargets rules of kMaxPortSpans
    /// spans.
    std::optional<Prefix> crowded;

    [[nodiscard]] const Candidates& candidates(const PortSpan& span) const {
        return lists[span.list];
    }
};

PrefixRules prefix_rules(const Policy& policy);

/// One rule: what prefix_rules() gives for `prefix`, or would if it were a target.
PrefixRules rules_at(const Policy& policy, const Prefix& prefix);

} // namespace ballast
