// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/first_bucket.h"

#include <memory>

#include <arpa/inet.h>
#include <bpf/btf.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace ballast::kernel {

namespace {

constexpr std::uint32_t unused_address = 0x7f424c54; ///< 127.66.76.84
/// Reserved, needs no privilege, and outside of the range that connections usually draw from; 0:
/// any, where that is taken.
constexpr std::uint16_t ports[] = {1024, 0};

bool bind_to(const Fd& socket, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(unused_address);
    address.sin_port = ::htons(port);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

} // namespace

bool iterator_skips_first_bucket() {
    const std::unique_ptr<btf, decltype(&::btf__free)> types(::btf__load_vmlinux_btf(),
                                                             &::btf__free);
    return !types ||
           ::btf__find_by_name_kind(types.get(), "bpf_tcp_iter_batch_item", BTF_KIND_UNION) < 0;
}

Result<Fd> listen_for_iterator() {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket)
        return fail(Error::system("make a listener that the socket iterator needs", errno));
    const int on = 1; // the namespace's loopback interface may be down
    if (::setsockopt(socket.get(), SOL_IP, IP_FREEBIND, &on, sizeof on))
        return fail(Error::system("set IP_FREEBIND on the socket iterator's listener", errno));
    if (!bind_to(socket, ports[0]) && !bind_to(socket, ports[1]))
        return fail(Error::system("bind the socket iterator's listener to 127.66.76.84", errno));
    if (::listen(socket.get(), 0))
        return fail(Error::system("listen() for the socket iterator", errno));
    return socket;
}

} // namespace ballast::kernel
