// SPDX-License-Identifier: Apache-2.0
// A listening TCP socket that only this host reaches.
#pragma once

#include <string>

#include "daemon/util/error.h"
#include "daemon/util/fd.h"

namespace ballast::api {

/// Listens on "127.0.0.1:PORT" (any of 127.0.0.0/8) or "[::1]:PORT", non-blocking; every other
/// address is refused.
Result<Fd> listen_loopback(const std::string& endpoint);

} // namespace ballast::api
