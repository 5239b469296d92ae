// SPDX-License-Identifier: Apache-2.0
// The filters of traffic control that a device runs for what comes in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/util/error.h"

namespace ballast::netlink {

struct Filter {
    std::string kind;     ///< "bpf", "flower"
    std::string name;     ///< of a BPF program's filter, as it was given
    std::uint32_t id = 0; ///< of its program; 0: it is of another kind
};

/// Of a device of the caller's network namespace, in the order in which they run. None where it has
/// no clsact or ingress qdisc.
Result<std::vector<Filter>> ingress_filters(std::uint32_t device);

/// Those for what goes out, too.
Result<std::vector<Filter>> device_filters(std::uint32_t device);

} // namespace ballast::netlink
