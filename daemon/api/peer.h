// SPDX-License-Identifier: Apache-2.0
// The user at the other end of a Unix socket.
#pragma once

#include <string>

namespace ballast::api {

/// The user that connected, as the kernel recorded it (SO_PEERCRED): "root (uid 0)", "uid 1234"
/// where the user has no name, "unknown user" where the socket has none.
std::string peer_name(int socket);

} // namespace ballast::api
