// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/channel.h"

#include <cerrno>

#include <libmnl/libmnl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "daemon/util/net_namespace.h"

namespace ballast::netlink {

namespace {

/// The kernel makes no larger ones (net/netlink/af_netlink.c, netlink_recvmsg() caps them at 32
/// KiB).
constexpr std::size_t kDatagramBytes = 32768;
constexpr timeval kPatience{2, 0};
constexpr int kStaleDatagrams = 64; // skipped at most before an answer

} // namespace

void Channel::Close::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

Channel::Channel(mnl_socket* socket) : socket_(socket), buffer_(kDatagramBytes) {}

Result<Channel> Channel::open(int netns_fd) {
    mnl_socket* socket = nullptr;
    int error = 0;
    const auto been = in_net_namespace(netns_fd, [&] {
        socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
        error = errno;
    });
    if (!been)
        return fail(been.error());
    if (socket == nullptr)
        return fail(Error::system("open a NETLINK_SOCK_DIAG socket", error));
    Channel channel(socket);
    if (auto prepared = channel.prepare(); !prepared)
        return fail(prepared.error());
    return channel;
}

Result<void> Channel::prepare() {
    if (mnl_socket_bind(socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0)
        return fail(Error::system("bind a netlink socket", errno));
    if (::setsockopt(mnl_socket_get_fd(socket_.get()), SOL_SOCKET, SO_RCVTIMEO, &kPatience,
                     sizeof kPatience) < 0)
        return fail(Error::system("setsockopt(SO_RCVTIMEO) of a netlink socket", errno));
    return {};
}

std::uint32_t Channel::next_sequence() {
    return ++sequence_ == 0 ? ++sequence_ : sequence_;
}

Result<void> Channel::send(const Message& request) {
    while (mnl_socket_sendto(socket_.get(), request.data(), request.size()) < 0)
        if (errno != EINTR)
            return fail(Error::system("send a netlink request", errno));
    return {};
}

/// libmnl says ENOSPC of a datagram that did not fit, and the kernel ENOBUFS where it had no room
/// to queue one: either way a part of the answer is lost.
Result<std::size_t> Channel::receive_bytes() {
    for (;;) {
        const ssize_t got = mnl_socket_recvfrom(socket_.get(), buffer_.data(), buffer_.size());
        if (got >= 0)
            return static_cast<std::size_t>(got);
        if (errno == EAGAIN)
            return fail(Error(
                fmt::format("no answer from the kernel within {} s", kPatience.tv_sec), ETIMEDOUT));
        if (errno != EINTR)
            return fail(Error::system("receive a netlink answer", errno));
    }
}

Result<Reply> Channel::receive(std::uint32_t sequence) {
    const Addressee addressee{sequence, mnl_socket_get_portid(socket_.get())};
    for (int i = 0; i < kStaleDatagrams; ++i) {
        const auto size = receive_bytes();
        if (!size)
            return fail(size.error());
        auto reply = parse_reply({buffer_.data(), *size}, addressee);
        if (!reply || reply->complete || !reply->sockets.empty())
            return reply;
    }
    return fail(Error(fmt::format("{} answers to other netlink requests", kStaleDatagrams)));
}

Result<Reply> Channel::ask(const Message& request, std::uint32_t sequence) {
    if (auto sent = send(request); !sent)
        return fail(sent.error());
    return receive(sequence);
}

} // namespace ballast::netlink
