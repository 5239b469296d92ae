// SPDX-License-Identifier: Apache-2.0
// Answers of the kernel's socket diagnosis, made by hand.
#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <cstring>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <vector>

#include "daemon/netlink/reply.h"

namespace ballast::test {

using Bytes = std::vector<std::byte>;

constexpr netlink::Addressee addressee{7, 4242};

template <typename T>
void append(Bytes& bytes, const T& value, std::size_t size = sizeof(T)) {
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), first, first + size);
    bytes.resize((bytes.size() + 3) & ~std::size_t{3});
}

inline Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

/// A message around `payload`.
inline Bytes message(std::uint16_t type, const Bytes& payload, std::uint16_t flags = 0,
                     netlink::Addressee to = addressee) {
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size());
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    header.nlmsg_seq = to.sequence;
    header.nlmsg_pid = to.port_id;
    Bytes bytes;
    append(bytes, header);
    return bytes + payload;
}

inline Bytes outcome(std::uint16_t type, int value, std::uint16_t flags = 0) {
    Bytes payload;
    append(payload, value);
    return message(type, payload, flags);
}

inline Bytes attribute(std::uint16_t type, const void* value, std::size_t size) {
    nlattr header{};
    header.nla_len = static_cast<std::uint16_t>(sizeof header + size);
    header.nla_type = type;
    Bytes bytes;
    append(bytes, header);
    const auto* first = static_cast<const std::byte*>(value);
    bytes.insert(bytes.end(), first, first + size);
    bytes.resize((bytes.size() + 3) & ~std::size_t{3});
    return bytes;
}

inline Bytes info_attribute(const tcp_info& info, std::size_t size = sizeof(tcp_info)) {
    return attribute(INET_DIAG_INFO, &info, size);
}

/// 10.0.0.1:40000 -> 10.0.0.5:5432, cookie 0x100000002, of the given family.
inline inet_diag_msg socket_message(std::uint8_t family = AF_INET) {
    inet_diag_msg out{};
    out.idiag_family = family;
    out.idiag_state = 1;
    out.id.idiag_sport = htons(40000);
    out.id.idiag_dport = htons(5432);
    const std::size_t at = family == AF_INET6 ? 3 : 0;
    if (family == AF_INET6)
        out.id.idiag_src[2] = out.id.idiag_dst[2] = htonl(0xffff);
    out.id.idiag_src[at] = htonl(0x0a000001);
    out.id.idiag_dst[at] = htonl(0x0a000005);
    out.id.idiag_cookie[0] = 2;
    out.id.idiag_cookie[1] = 1;
    return out;
}

inline Bytes socket_answer(const inet_diag_msg& about, const Bytes& attributes = {},
                           std::uint16_t flags = 0) {
    Bytes payload;
    append(payload, about);
    return message(SOCK_DIAG_BY_FAMILY, payload + attributes, flags);
}

} // namespace ballast::test
