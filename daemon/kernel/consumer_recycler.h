// SPDX-License-Identifier: Apache-2.0
// Gives indexes of `consumers` back when their cgroup is gone and nothing refers to them.
//
// Why an index in use cannot be given away: a cgroup that is gone has no processes
// that could connect; its key is taken out first, all programs that may have found it end, and only
// then the reservations are looked through, once more. Adopting sweeps run in this process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/kernel/maps.h"
#include "daemon/kernel/policy_map.h"
#include "daemon/util/error.h"

namespace ballast::kernel {

class ConsumerRecycler {
public:
    /// `hierarchy`: where cgroup v2 is mounted.
    ConsumerRecycler(Maps& maps, PolicyMap& policy, std::string hierarchy)
        : maps_(&maps), policy_(&policy), hierarchy_(std::move(hierarchy)) {}

    /// Returns how many indexes were freed. Looks through all reservations, so call it now and
    /// then.
    Result<std::size_t> run();

private:
    [[nodiscard]] std::uint32_t ever_used() const;
    [[nodiscard]] std::vector<bool> referred_to() const;
    [[nodiscard]] bool is_gone(const ballast_consumer& consumer) const;
    Result<void> offer(std::uint32_t index);

    Maps* maps_;
    PolicyMap* policy_;
    std::string hierarchy_;
};

} // namespace ballast::kernel
