// SPDX-License-Identifier: Apache-2.0
#include "cli/discover/flow_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ballast::cli {
namespace {

// The most that the kernel takes, so that it sends no probe of its own and never gives up: what is
// sent, and when, is for probe() alone.
constexpr int kNever = 32'767;
constexpr int kMostProbes = 127;

Result<void> set(int fd, int level, int name, int value, const char* what) {
    if (::setsockopt(fd, level, name, &value, sizeof value) == 0)
        return {};
    return fail(Error::system(fmt::format("setsockopt({}) of {}", what, value), errno));
}

Result<void> silence(int fd) {
    return set(fd, SOL_SOCKET, SO_KEEPALIVE, 0, "SO_KEEPALIVE")
        .and_then([fd] { return set(fd, IPPROTO_TCP, TCP_KEEPIDLE, kNever, "TCP_KEEPIDLE"); })
        .and_then([fd] { return set(fd, IPPROTO_TCP, TCP_KEEPINTVL, kNever, "TCP_KEEPINTVL"); })
        .and_then([fd] { return set(fd, IPPROTO_TCP, TCP_KEEPCNT, kMostProbes, "TCP_KEEPCNT"); });
}

} // namespace

Result<FlowSocket> FlowSocket::connect(const Peer& peer) {
    Fd fd(::socket(peer.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        return fail(Error::system("socket", errno));
    if (auto silent = silence(fd.get()); !silent)
        return fail(silent.error());
    const int made =
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer.address), peer.length);
    if (made != 0 && errno != EINPROGRESS)
        return fail(Error::system("connect to " + peer.endpoint.text(), errno));
    return FlowSocket(std::move(fd));
}

int FlowSocket::take_error() const {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

Result<FlowSocket::Sight> FlowSocket::look() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return fail(Error::system("getsockopt(TCP_INFO)", errno));
    return Sight{
        info.tcpi_segs_in, info.tcpi_segs_out,
        std::chrono::milliseconds(std::min(info.tcpi_last_ack_recv, info.tcpi_last_data_recv)),
        std::chrono::microseconds(info.tcpi_rtt)};
}

/// A connection that has been silent for longer than TCP_KEEPIDLE is probed when that is set
/// (tcp_sock_set_keepidle_locked() in net/ipv4/tcp.c), the next time after TCP_KEEPINTVL only.
Result<void> FlowSocket::probe() const {
    return set(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE").and_then([this] {
        return set(fd_.get(), IPPROTO_TCP, TCP_KEEPIDLE, 1, "TCP_KEEPIDLE");
    });
}

void FlowSocket::drain() const {
    std::array<char, 16'384> unread{};
    while (::recv(fd_.get(), unread.data(), unread.size(), MSG_DONTWAIT) > 0) {
    }
}

void FlowSocket::abort() {
    const linger reset{1, 0};
    if (fd_) // if it fails, close() is as good as it gets
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    fd_.reset();
}

} // namespace ballast::cli
