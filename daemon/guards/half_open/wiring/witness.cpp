// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/wiring/witness.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "daemon/kernel/namespaces.h"
#include "daemon/util/net_namespace.h"

namespace ballast::guards {

namespace {

Result<Fd> socket_in(std::uint32_t netns, const std::string& proc) {
    const auto spaces = kernel::find_net_namespaces(proc);
    if (!spaces)
        return fail(spaces.error());
    const auto space = std::ranges::find(*spaces, netns, &kernel::NetNamespace::inode);
    if (space == spaces->end())
        return fail(Error(fmt::format("network namespace {} cannot be found", netns)));
    const auto file = space->open();
    if (!file)
        return fail(file.error());
    Fd made;
    int error = 0;
    const auto been = in_net_namespace(file->get(), [&] {
        made.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        error = errno;
    });
    if (!been)
        return fail(been.error());
    if (!made)
        return fail(Error::system("make a socket", error));
    return made;
}

/// An IPv4 address goes v4-mapped.
sockaddr_in6 address_of(const PeerKey& peer) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(peer.port);
    std::memcpy(&address.sin6_addr, peer.address.bytes.data(), sizeof address.sin6_addr);
    return address;
}

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
    auto socket = socket_in(peer.netns, proc_);
    if (!socket)
        return fail(socket.error());
    const auto address = address_of(peer);
    // An immediate failure is a refusal on this host, perhaps by our own limit: no peer answered.
    if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) &&
        errno != EINPROGRESS)
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
