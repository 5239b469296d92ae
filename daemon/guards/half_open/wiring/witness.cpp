// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/wiring/witness.h"

#include <cerrno>
#include <optional>

#include <poll.h>
#include <sys/socket.h>

#include "daemon/guards/half_open/wiring/own_socket.h"

namespace ballast::guards {

namespace {

/// Whether the peer answered; none while that is undecided.
std::optional<bool> outcome_of(const Fd& socket) {
    pollfd wanted{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    if (::poll(&wanted, 1, 0) <= 0)
        return std::nullopt;
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length))
        error = errno;
    return error == 0 || error == ECONNREFUSED;
}

} // namespace

Result<void> Witness::ask(const PeerKey& peer, Monotonic now) {
    if (asked_.contains(peer))
        return {};
    if (asked_.size() >= most)
        return fail(Error("too many connects under way"));
    auto socket = socket_towards(peer, proc_);
    if (!socket)
        return fail(socket.error());
    const SocketName name = name_of(peer.address, peer.port, peer.interface_index);
    // An immediate failure is a refusal on this host, perhaps by our own limit: no peer answered.
    if (::connect(socket->get(), name.get(), name.length) && errno != EINPROGRESS)
        return fail(Error::system("connect()", errno));
    asked_.emplace(peer, Asked{std::move(*socket), now});
    return {};
}

void Witness::look(Monotonic now, const Outcome& outcome) {
    for (auto at = asked_.begin(); at != asked_.end();) {
        auto answered = outcome_of(at->second.socket);
        if (!answered && now - at->second.since >= patience)
            answered = false;
        if (!answered) {
            ++at;
            continue;
        }
        const PeerKey peer = at->first;
        at = asked_.erase(at);
        outcome(peer, *answered);
    }
}

} // namespace ballast::guards
