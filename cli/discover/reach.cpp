// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/reach.h"

#include <cerrno>

#include <poll.h>

#include "cli/discover/flow_socket.h"

namespace ballast::cli {
namespace {

constexpr int kReachTimeoutMs = 3'000;

/// Connects and closes; an errno, 0: accepted.
int try_to_connect(const Peer& peer) {
    const auto socket = FlowSocket::connect(peer);
    if (!socket)
        return socket.error().errno_value();
    pollfd entry{socket->fd(), POLLOUT, 0};
    const int ready = ::poll(&entry, 1, kReachTimeoutMs);
    if (ready < 0)
        return errno;
    return ready == 0 ? ETIMEDOUT : socket->take_error();
}

std::string hint_for(int errno_value, const Outcome<Places>& places) {
    if (places && !places->service.empty())
        return fmt::format("if the server is well, it may be Ballast that refuses: {0} governs it "
                           "(ballast health {0}, ballast breaker list {0})",
                           places->service);
    if (errno_value != ECONNREFUSED)
        return "is the destination up, and reachable from here?";
    return places ? "nobody listens there, or a firewall refuses"
                  : "nobody listens there, or a firewall or a limit of Ballast refuses";
}

} // namespace

Failure unopened(const Peer& peer, int errno_value, const Client& client) {
    return {exit_failed, Error::system("connect to " + peer.endpoint.text(), errno_value)
                             .hint(hint_for(errno_value, ask_places(client, peer.endpoint)))};
}

Outcome<Reached> reach(const std::vector<Peer>& peers, const Client& client, std::size_t wanted) {
    int error = 0;
    for (const Peer& peer : peers) {
        const auto allowance = ask_allowance(client, peer.endpoint, wanted);
        if (!allowance)
            return tl::unexpected(allowance.error());
        error = try_to_connect(peer);
        if (error == 0)
            return Reached{peer, *allowance};
    }
    return tl::unexpected(unopened(peers.back(), error, client));
}

} // namespace ballast::cli
