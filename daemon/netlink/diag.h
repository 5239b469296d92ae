// SPDX-License-Identifier: Apache-2.0
// The TCP sockets of one network namespace, asked of the kernel one by one or by their peer, and
// destroyed one by one. IPv4, IPv6 and v4-mapped sockets alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "daemon/model/diag_socket.h"
#include "daemon/netlink/channel.h"
#include "daemon/util/fd.h"

namespace ballast::netlink {

class Diag {
public:
    /// A session in the namespace that `netns_fd` is open of; needs CAP_SYS_ADMIN to go there. The
    /// session keeps that namespace alive, so it should not outlive its use. Fails where the kernel
    /// has no socket diagnosis of TCP.
    static Result<Diag> open(int netns_fd);

    /// The socket of `key`, or nothing when there is none with that cookie. What close() leaves of
    /// it in TIME_WAIT has the cookie still: timer `time_wait`, no facts.
    Result<std::optional<DiagSocket>> find(const FlowKey& key);

    /// The sockets whose peer is `address`, `port` (host byte order; 0: any), in ESTABLISHED,
    /// FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK or CLOSING; at most `max` of them. Costs a walk
    /// through all TCP sockets of the host, in the kernel.
    Result<FlowList> flows_to(const Address& address, std::uint16_t port, std::size_t max);

    /// What is in TIME_WAIT from `local` to `remote`; `timer_expires_ms` is what is left of it. At
    /// most `max`, without those in FIN_WAIT2. Costs as flows_to().
    Result<FlowList> waiting(const Address& local, const Endpoint& remote, std::size_t max);

    /// Ends such a one; its port is free then. The peer gets nothing.
    Result<Destroyed> reap(const FlowKey& key) { return destroy_found(key); }

    /// Destroys the socket of `key` and no other: blocked calls on it return ECONNABORTED, the peer
    /// gets an RST. What close() left of it in TIME_WAIT is `already_gone` and left alone, unless
    /// that close() falls between this call's look and its act. Needs CAP_NET_ADMIN in the user
    /// namespace that owns the network namespace, and a kernel with CONFIG_INET_DIAG_DESTROY.
    /// Before Linux 6.11 an orphan (`inode` 0) may be called destroyed and stay (commit
    /// bac76cf89816): nobody waits in one, so leave orphans alone.
    Result<Destroyed> destroy(const FlowKey& key);

private:
    Diag(Fd netns, Channel channel) : netns_(std::move(netns)), channel_(std::move(channel)) {}
    Result<void> check_available();
    Result<Destroyed> destroy_found(const FlowKey& key);
    struct Query; ///< of a dump
    Result<FlowList> read_flows(const Query& query, std::size_t max) const;
    Result<FlowList> list(const Query& query, std::size_t max) const;

    Fd netns_;
    Channel channel_; ///< for requests about one socket
};

} // namespace ballast::netlink
