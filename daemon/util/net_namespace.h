// SPDX-License-Identifier: Apache-2.0
// Acting in another network namespace. What is opened there (a socket, an iterator) stays bound to
// it, so the thread has to be there for the time of one call only.
#pragma once

#include <functional>

#include "daemon/util/error.h"

namespace ballast {

/// Runs `act` with the calling thread in the network namespace that `netns_fd` is open of, and
/// brings the thread back, also when `act` throws. A thread that cannot come back ends the process
/// (SIGABRT, after one line on stderr): in a foreign namespace nothing it does is right.
/// Fails, without running `act`, when the namespace cannot be entered; needs CAP_SYS_ADMIN.
Result<void> in_net_namespace(int netns_fd, const std::function<void()>& act);

} // namespace ballast
