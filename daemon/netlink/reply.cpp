// SPDX-License-Identifier: Apache-2.0
#include "daemon/netlink/reply.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

namespace ballast::netlink {

namespace {

Error malformed(std::string_view what) {
    return Error(fmt::format("a message from the kernel {}", what));
}

Address address_of(std::uint8_t family, const __be32 (&words)[4]) {
    Address address;
    if (family == AF_INET6) {
        std::memcpy(address.bytes.data(), words, address.bytes.size());
        return address;
    }
    constexpr std::size_t v4_offset = 12;
    address.bytes[v4_offset - 2] = address.bytes[v4_offset - 1] = 0xff;
    std::memcpy(&address.bytes[v4_offset], words, sizeof words[0]);
    return address;
}

template <typename Enum>
Enum up_to(Enum last, std::uint8_t value) {
    return value <= static_cast<std::uint8_t>(last) ? static_cast<Enum>(value) : Enum::unknown;
}

DiagSocket describe(const inet_diag_msg& message) {
    const auto& id = message.id;
    DiagSocket socket;
    socket.key.local = {address_of(message.idiag_family, id.idiag_src), ntohs(id.idiag_sport)};
    socket.key.remote = {address_of(message.idiag_family, id.idiag_dst), ntohs(id.idiag_dport)};
    socket.key.cookie = id.idiag_cookie[0] | static_cast<std::uint64_t>(id.idiag_cookie[1]) << 32;
    socket.key.interface_index = id.idiag_if;
    socket.v6_socket = message.idiag_family == AF_INET6;
    socket.state = up_to(TcpState::closing, message.idiag_state);
    socket.uid = message.idiag_uid;
    socket.inode = message.idiag_inode;
    socket.timer = up_to(TcpTimer::delayed_ack, message.idiag_timer);
    socket.timer_expires_ms = message.idiag_expires;
    socket.timer_retransmits = message.idiag_retrans;
    return socket;
}

/// struct tcp_info grows at its end from kernel to kernel: a field counts where all of it was
/// given.
class Info {
public:
    explicit Info(const nlattr* attribute) : given_(mnl_attr_get_payload_len(attribute)) {
        std::memcpy(&info_, mnl_attr_get_payload(attribute), std::min(given_, sizeof info_));
    }

    [[nodiscard]] std::uint32_t given() const { return static_cast<std::uint32_t>(given_); }

    template <typename Field>
    Field operator[](Field tcp_info::*field) const {
        const auto* const begin = reinterpret_cast<const std::byte*>(&info_);
        const auto* const end = reinterpret_cast<const std::byte*>(&(info_.*field) + 1);
        return static_cast<std::size_t>(end - begin) <= given_ ? info_.*field : Field{0};
    }

private:
    std::size_t given_;
    tcp_info info_{};
};

TcpFacts facts(const Info& info) {
    TcpFacts tcp;
    tcp.given = info.given();
    tcp.retransmits = info[&tcp_info::tcpi_retransmits];
    tcp.probes = info[&tcp_info::tcpi_probes];
    tcp.backoff = info[&tcp_info::tcpi_backoff];
    tcp.rto_us = info[&tcp_info::tcpi_rto];
    tcp.unacked = info[&tcp_info::tcpi_unacked];
    tcp.retrans = info[&tcp_info::tcpi_retrans];
    tcp.last_data_sent_ms = info[&tcp_info::tcpi_last_data_sent];
    tcp.last_data_recv_ms = info[&tcp_info::tcpi_last_data_recv];
    tcp.last_ack_recv_ms = info[&tcp_info::tcpi_last_ack_recv];
    tcp.rtt_us = info[&tcp_info::tcpi_rtt];
    tcp.snd_cwnd = info[&tcp_info::tcpi_snd_cwnd];
    tcp.total_retrans = info[&tcp_info::tcpi_total_retrans];
    tcp.data_segs_out = info[&tcp_info::tcpi_data_segs_out];
    tcp.bytes_acked = info[&tcp_info::tcpi_bytes_acked];
    tcp.bytes_received = info[&tcp_info::tcpi_bytes_received];
    tcp.notsent_bytes = info[&tcp_info::tcpi_notsent_bytes];
    tcp.snd_wnd = info[&tcp_info::tcpi_snd_wnd];
    return tcp;
}

Result<void> read_attributes(const nlmsghdr* header, DiagSocket& socket) {
    const auto* const end = static_cast<const std::byte*>(mnl_nlmsg_get_payload_tail(header));
    const auto* attribute =
        static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(header, sizeof(inet_diag_msg)));
    for (;;) {
        const auto left = end - reinterpret_cast<const std::byte*>(attribute);
        if (left <= 0)
            return {};
        if (!mnl_attr_ok(attribute, static_cast<int>(left)))
            return fail(malformed("about a socket ends within an attribute"));
        if (mnl_attr_get_type(attribute) == INET_DIAG_INFO)
            socket.tcp = facts(Info(attribute));
        if (mnl_attr_get_type(attribute) == INET_DIAG_MARK &&
            mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
            socket.mark = mnl_attr_get_u32(attribute);
        attribute = mnl_attr_next(attribute);
    }
}

Result<void> read_socket(const nlmsghdr* header, Reply& reply) {
    inet_diag_msg message{};
    if (mnl_nlmsg_get_payload_len(header) < sizeof message)
        return fail(malformed("about a socket is too short"));
    std::memcpy(&message, mnl_nlmsg_get_payload(header), sizeof message);
    if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6)
        return fail(malformed("about a socket is of no IP family"));
    reply.sockets.push_back(describe(message));
    return read_attributes(header, reply.sockets.back());
}

/// An acknowledgement, an error, or the end of a dump: each has the outcome as a negative errno,
/// and so has NLMSG_DONE of a dump that failed halfway (net/netlink/af_netlink.c,
/// netlink_dump_done()).
Result<void> read_outcome(const nlmsghdr* header, Reply& reply) {
    int outcome = 0;
    if (mnl_nlmsg_get_payload_len(header) < sizeof outcome)
        return fail(malformed("about the outcome is too short"));
    std::memcpy(&outcome, mnl_nlmsg_get_payload(header), sizeof outcome);
    if (outcome > 0 || outcome == INT_MIN)
        return fail(malformed(fmt::format("gives {} for an outcome", outcome)));
    reply.complete = true;
    reply.error = -outcome;
    return {};
}

Result<void> read_message(const nlmsghdr* header, Reply& reply) {
    if (header->nlmsg_flags & NLM_F_DUMP_INTR)
        reply.interrupted = true;
    switch (header->nlmsg_type) {
    case NLMSG_NOOP:
        return {};
    case NLMSG_OVERRUN:
        return fail(malformed("says that others were lost"));
    case NLMSG_ERROR:
    case NLMSG_DONE:
        return read_outcome(header, reply);
    case SOCK_DIAG_BY_FAMILY:
        // the answer to a request for one socket has no end of its own
        if (!(header->nlmsg_flags & NLM_F_MULTI))
            reply.complete = true;
        return read_socket(header, reply);
    default:
        return fail(malformed(fmt::format("is of type {}", header->nlmsg_type)));
    }
}

/// mnl_nlmsg_ok() of libmnl 1.0.4 takes a length of 2^31 and above for a negative one, so for good.
bool is_whole(const nlmsghdr* header, std::size_t left) {
    return left >= sizeof *header && header->nlmsg_len >= sizeof *header &&
           header->nlmsg_len <= left;
}

} // namespace

Result<Reply> parse_reply(std::span<const std::byte> bytes, const Addressee& addressee) {
    Reply reply;
    const auto* header = reinterpret_cast<const nlmsghdr*>(bytes.data());
    int left = static_cast<int>(bytes.size());
    while (left > 0) {
        if (!is_whole(header, static_cast<std::size_t>(left)))
            return fail(malformed("is cut short"));
        if (header->nlmsg_seq == addressee.sequence && header->nlmsg_pid == addressee.port_id)
            if (auto read = read_message(header, reply); !read)
                return fail(read.error());
        header = mnl_nlmsg_next(header, &left);
    }
    return reply;
}

} // namespace ballast::netlink
