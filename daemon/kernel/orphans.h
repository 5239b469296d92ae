// SPDX-License-Identifier: Apache-2.0
// Sockets of the host that nobody has open: their number, and the limit.
#pragma once

#include <string_view>

#include "daemon/model/ports.h"

namespace ballast::kernel {

/// 0 each where the kernel does not say.
Orphans read_orphans();

/// `sockstat`: as /proc/net/sockstat has it; `most`: as tcp_max_orphans.
Orphans parse_orphans(std::string_view sockstat, std::string_view most);

} // namespace ballast::kernel
