// SPDX-License-Identifier: Apache-2.0
// Why a service governs an endpoint: all targets that cover it, in matching order. Says the order
// of daemon/model/prefix_rules.h once more, target by target, for people. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/model/policy.h"

namespace ballast {

enum class Applies {
    governs,             ///< the first that applies to the consumer in question
    to_its_consumers,    ///< nobody was named: governs those that its `from` holds for
    from_does_not_match, ///< gives way to the next
    shadowed,            ///< would apply, but one before it does
};

/// One target that covers the endpoint.
struct ExplainedTarget {
    std::size_t service; ///< index of Policy::services
    Target target;
    /// The element of `from` that stands for the target in the order: the longest that holds for
    /// the consumer, or the longest of all. Empty: the service is for everyone.
    std::string from;
    Applies applies;
    std::string reason;    ///< one clause: "governs", "shadowed by orders-db (10.0.0.5:5432): ..."
    std::string name = {}; ///< the DNS name that it came from; empty: it was written so
};

struct Explanation {
    std::vector<ExplainedTarget> targets; ///< in matching order
    std::optional<std::size_t> governing; ///< index of `targets`; none: nobody governs
};

/// `cgroup_path` as of from_matches(); none asks for every consumer at once: what governs those
/// whom no `from` before it holds for is then the governing one.
Explanation explain(const Policy& policy, const Endpoint& endpoint,
                    std::optional<std::string_view> cgroup_path);

} // namespace ballast
