// SPDX-License-Identifier: Apache-2.0
// Whether this process may destroy sockets on this kernel, found out by doing it.
#pragma once

#include "daemon/util/error.h"

namespace ballast::netlink {

/// Makes a listening socket on 127.0.0.1, at a port that the kernel chooses, and has it destroyed:
/// no connection is made. The error says what is missing, as Diag::open() and destroy() do.
Result<void> try_destroy();

} // namespace ballast::netlink
