// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/route_socket.h"

#include <cerrno>
#include <cstring>

#include <libmnl/libmnl.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace ballast::netlink {

namespace {

constexpr std::size_t kAnswerBytes = 32768; // as Channel's
constexpr timeval kAnswerPatience{2, 0};

int pass_on(const nlmsghdr* message, void* take) {
    (*static_cast<const std::function<void(const nlmsghdr&)>*>(take))(*message);
    return MNL_CB_OK;
}

} // namespace

void RouteSocket::Close::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

Result<RouteSocket> RouteSocket::open(unsigned groups) {
    RouteSocket made(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (!made.socket_)
        return fail(Error::system("open a NETLINK_ROUTE socket", errno));
    if (mnl_socket_bind(made.socket_.get(), groups, MNL_SOCKET_AUTOPID) < 0 ||
        ::setsockopt(made.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerPatience,
                     sizeof kAnswerPatience) < 0)
        return fail(Error::system("bind a NETLINK_ROUTE socket", errno));
    return made;
}

int RouteSocket::descriptor() const {
    return mnl_socket_get_fd(socket_.get());
}

Result<void> RouteSocket::dump(std::uint16_t type, const void* header, std::size_t size,
                               const char* what, const std::function<void(const nlmsghdr&)>& take) {
    std::vector<char> buffer(kAnswerBytes);
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request->nlmsg_seq = ++sequence_;
    std::memcpy(mnl_nlmsg_put_extra_header(request, size), header, size);
    if (mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) < 0)
        return fail(Error::system(fmt::format("ask for {}", what), errno));
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
        const auto got = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        more = got < 0 ? MNL_CB_ERROR
                       : mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), sequence_,
                                    mnl_socket_get_portid(socket_.get()), pass_on,
                                    const_cast<std::function<void(const nlmsghdr&)>*>(&take));
        if (more < 0)
            return fail(Error::system(fmt::format("list {}", what), errno));
    }
    return {};
}

} // namespace ballast::netlink
