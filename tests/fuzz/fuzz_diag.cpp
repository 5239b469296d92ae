// SPDX-License-Identifier: Apache-2.0
// Fuzzes the parser of the kernel's answers about sockets. Beyond "no crash" it holds the parser to
// its promises: no more sockets than the bytes have room for, an error only where the answer is
// complete, addresses of the socket's IP version.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <linux/inet_diag.h>
#include <linux/netlink.h>

#include "daemon/netlink/reply.h"

namespace {

using namespace ballast;

constexpr netlink::Addressee addressee{7, 4242};

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken promise: %s\n", what);
    std::abort();
}

void check(const netlink::Reply& reply, std::size_t size) {
    constexpr std::size_t smallest = sizeof(nlmsghdr) + sizeof(inet_diag_msg);
    require(reply.sockets.size() <= size / smallest, "sockets are made of bytes");
    require(reply.error >= 0, "an errno is positive");
    require(reply.error == 0 || reply.complete, "an error ends the answer");
    for (const DiagSocket& socket : reply.sockets) {
        require(socket.tcp.given <= size, "facts are made of bytes");
        require(socket.v6_socket || socket.key.remote.address.is_v4(), "IPv4 has IPv4 addresses");
        require(!socket.key.local.text().empty(), "an address has a text");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* first = reinterpret_cast<const std::byte*>(data);
    const std::vector<std::byte> aligned(first, first + size);
    if (const auto reply = netlink::parse_reply(aligned, addressee))
        check(*reply, size);
    return 0;
}
