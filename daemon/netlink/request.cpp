// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/request.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

namespace ballast::netlink {

namespace {

constexpr std::size_t kV4Offset = 12; // of the IPv4 address in a v4-mapped one

constexpr std::uint32_t bit(TcpState state) {
    return 1U << static_cast<unsigned>(state);
}

constexpr std::uint32_t kSynchronised = bit(TcpState::established) | bit(TcpState::fin_wait1) |
                                        bit(TcpState::fin_wait2) | bit(TcpState::close_wait) |
                                        bit(TcpState::last_ack) | bit(TcpState::closing);

/// A buffer of libmnl's with room for the largest request, which is below 200 bytes.
class Builder {
public:
    Builder(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence)
        : header_(mnl_nlmsg_put_header(buffer_.data())) {
        header_->nlmsg_type = type;
        header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        header_->nlmsg_seq = sequence;
    }

    void put(const inet_diag_req_v2& request) {
        std::memcpy(mnl_nlmsg_put_extra_header(header_, sizeof request), &request, sizeof request);
    }

    void put_attribute(std::uint16_t type, const Message& value) {
        mnl_attr_put(header_, type, value.size(), value.data());
    }

    Message take() {
        buffer_.resize(header_->nlmsg_len);
        return std::move(buffer_);
    }

private:
    Message buffer_ = Message(512);
    nlmsghdr* header_;
};

inet_diag_req_v2 tcp_request(std::uint8_t family, std::uint32_t states) {
    inet_diag_req_v2 request{};
    request.sdiag_family = family;
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = states;
    request.idiag_ext = 1U << (INET_DIAG_INFO - 1);
    return request;
}

/// IPv4 in the first word, IPv6 in all four; both in network byte order.
void put_address(const Address& address, __be32 (&words)[4]) {
    const std::size_t from = address.is_v4() ? kV4Offset : 0;
    std::memcpy(words, &address.bytes[from], address.bytes.size() - from);
}

/// The look-up takes one exact socket: idiag_states has no meaning in it. A v4-mapped socket is
/// found as AF_INET, since both are in one table (net/ipv4/tcp_diag.c, tcp_diag_find_one_icsk();
/// on older kernels net/ipv4/inet_diag.c, inet_diag_find_one_icsk()).
inet_diag_req_v2 exact(const FlowKey& key) {
    auto request = tcp_request(key.local.address.is_v4() ? AF_INET : AF_INET6,
                               std::numeric_limits<std::uint32_t>::max());
    put_address(key.local.address, request.id.idiag_src);
    put_address(key.remote.address, request.id.idiag_dst);
    request.id.idiag_sport = htons(key.local.port);
    request.id.idiag_dport = htons(key.remote.port);
    request.id.idiag_if = key.interface_index;
    request.id.idiag_cookie[0] = static_cast<std::uint32_t>(key.cookie);
    request.id.idiag_cookie[1] = static_cast<std::uint32_t>(key.cookie >> 32);
    return request;
}

template <typename T>
void append(Message& bytes, const T& value, std::size_t size = sizeof(T)) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), first, first + size);
}

/// One condition on the peer. Its jump for "no" goes 4 bytes past the end, which is how a program
/// rejects a socket (net/ipv4/inet_diag.c, inet_diag_bc_run()). A condition on an IPv4 address
/// holds for v4-mapped sockets too.
Message peer_is(const Address& address, std::uint16_t port) {
    const std::size_t from = address.is_v4() ? kV4Offset : 0;
    const std::size_t length = address.bytes.size() - from;
    const std::size_t size = sizeof(inet_diag_bc_op) + sizeof(inet_diag_hostcond) + length;
    inet_diag_bc_op op{};
    op.code = INET_DIAG_BC_D_COND;
    op.yes = static_cast<unsigned char>(size);
    op.no = static_cast<unsigned short>(size + 4);
    inet_diag_hostcond condition{};
    condition.family = address.is_v4() ? AF_INET : AF_INET6;
    condition.prefix_len = static_cast<__u8>(8 * length);
    condition.port = port == 0 ? -1 : port; // host byte order
    Message code;
    append(code, op);
    append(code, condition);
    append(code, address.bytes[from], length);
    return code;
}

Message exact_request(std::uint16_t type, std::uint16_t flags, const FlowKey& key,
                      std::uint32_t sequence) {
    Builder builder(type, flags, sequence);
    builder.put(exact(key));
    return builder.take();
}

} // namespace

Result<void> check_key(const FlowKey& key) {
    if (key.cookie == 0 || key.cookie == std::numeric_limits<std::uint64_t>::max())
        return fail(Error("it has no cookie, so it could be any socket at these addresses"));
    if (key.local.address.is_v4() != key.remote.address.is_v4())
        return fail(Error("one of its addresses is IPv4, the other IPv6"));
    return {};
}

Message find_request(const FlowKey& key, std::uint32_t sequence) {
    return exact_request(SOCK_DIAG_BY_FAMILY, 0, key, sequence);
}

Message destroy_request(const FlowKey& key, std::uint32_t sequence) {
    return exact_request(SOCK_DESTROY, NLM_F_ACK, key, sequence);
}

Message flows_request(std::uint8_t family, const Address& address, std::uint16_t port,
                      std::uint32_t sequence) {
    Builder builder(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sequence);
    builder.put(tcp_request(family, kSynchronised));
    builder.put_attribute(INET_DIAG_REQ_BYTECODE, peer_is(address, port));
    return builder.take();
}

Message waiting_request(std::uint8_t family, const Address& address, std::uint16_t port,
                        std::uint32_t sequence) {
    Builder builder(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sequence);
    builder.put(tcp_request(family, bit(TcpState::time_wait)));
    builder.put_attribute(INET_DIAG_REQ_BYTECODE, peer_is(address, port));
    return builder.take();
}

Message nothing_request(std::uint32_t sequence) {
    Builder builder(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, sequence);
    builder.put(tcp_request(AF_INET, 0));
    return builder.take();
}

} // namespace ballast::netlink
