// SPDX-License-Identifier: Apache-2.0
// Targets for which the matching order has no answer: two services claim them for one consumer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/document.h"

namespace ballast {

/// One element of `to`; what it points into must outlive it.
struct Claim {
    const ServiceEntry* service;
    const Place* place;
    std::size_t order;     ///< of appearance
    Target target;         ///< of a DNS name: its ports
    std::string_view host; ///< the DNS name; empty for an address

    [[nodiscard]] std::string text() const;
};

using Claims = std::vector<Claim>;

/// All elements of `to`, in order of appearance; within a service names come behind addresses.
Claims all_claims(const std::vector<ServiceEntry>& services);

/// Reports overlaps on one prefix, or name, between services without `from` and between services
/// that share an element of it. Any-port and ranges do not collide: the range goes first. Overlaps
/// within a service are warnings.
void find_collisions(Claims claims, ProblemList& errors, ProblemList& warnings);

} // namespace ballast
