// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/peer.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/socket.h>

namespace ballast::api {

std::string peer_name(int socket) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return "unknown user";
    const passwd* user = ::getpwuid(peer.uid);
    if (user == nullptr)
        return fmt::format("uid {}", peer.uid);
    return fmt::format("{} (uid {})", user->pw_name, peer.uid);
}

} // namespace ballast::api
