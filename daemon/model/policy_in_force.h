// SPDX-License-Identifier: Apache-2.0
// The policy that holds now: one immutable value, rebuilt by each change (file, override, DNS
// answer, arm, disarm) and handed to everyone who decides by it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/model/policy.h"

namespace ballast {

class PolicyInForce {
public:
    PolicyInForce() = default;

    /// `ids` are what the maps call policy.services, in their order; 0: they do not know it.
    PolicyInForce(Policy policy, std::vector<std::uint16_t> ids, std::uint64_t generation,
                  bool is_armed);

    /// The same policy after `ballast arm` or `ballast disarm`.
    [[nodiscard]] PolicyInForce with_armed(bool is_armed) const;

    [[nodiscard]] const Policy& policy() const { return policy_; }
    /// Counts the policies that the datapath was given; arming makes no new one.
    [[nodiscard]] std::uint64_t generation() const { return generation_; }
    [[nodiscard]] bool is_armed() const { return is_armed_; }

    /// The service of that name; nullptr where the policy has none.
    [[nodiscard]] const Service* service(std::string_view name) const;
    /// The service with that id in the maps; nullptr where the policy has none, as for 0.
    [[nodiscard]] const Service* service(std::uint16_t id) const;
    /// Its id in the maps; 0 where neither they nor the policy know it.
    [[nodiscard]] std::uint16_t id_of(std::string_view name) const;
    /// The service that governs the endpoint for consumers that no `from` names; nullptr: none.
    [[nodiscard]] const Service* governing(const Endpoint& endpoint) const;

    /// The guard's mode for the service now; nullptr: for what no service governs.
    [[nodiscard]] Mode mode(GuardKind guard, const Service* service) const;
    /// The effective mode for that of a row: while disarmed, no guard does more than observe.
    [[nodiscard]] Mode allowed(Mode said) const;

private:
    Policy policy_;
    std::vector<std::uint16_t> ids_;
    std::unordered_map<std::string, std::size_t> by_name_; ///< index of policy_.services
    std::unordered_map<std::uint16_t, std::size_t> by_id_;
    std::uint64_t generation_ = 0;
    bool is_armed_ = true;
};

} // namespace ballast
