// SPDX-License-Identifier: Apache-2.0
// One question to the host's resolver.
#pragma once

#include <string>
#include <vector>

#include "daemon/util/address.h"

namespace ballast {

struct Lookup {
    std::string host;
    std::vector<Address> addresses; ///< in any order; none exactly if there is an error
    std::string error;              ///< what getaddrinfo() said
};

/// Asks getaddrinfo() for A and AAAA, so that /etc/hosts, nsswitch.conf and resolv.conf hold.
/// Blocks for as long as these have it, which may be half a minute.
Lookup look_up(const std::string& host);

} // namespace ballast
