// SPDX-License-Identifier: Apache-2.0
// A netlink socket to the kernel's socket diagnosis in one network namespace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/netlink/reply.h"
#include "daemon/netlink/request.h"

struct mnl_socket;

namespace ballast::netlink {

class Channel {
public:
    /// Opens it in the namespace that `netns_fd` is open of, where it stays.
    static Result<Channel> open(int netns_fd);

    /// The sequence number for the next request; never 0.
    std::uint32_t next_sequence();

    Result<void> send(const Message& request);

    /// Waits for the next datagram of the answer to request `sequence`, skipping older ones. The
    /// kernel answers before send() returns, so this never waits long: 2 s at most.
    Result<Reply> receive(std::uint32_t sequence);

    /// Sends a request whose answer is one datagram, and receives it.
    Result<Reply> ask(const Message& request, std::uint32_t sequence);

private:
    struct Close {
        void operator()(mnl_socket* socket) const;
    };

    explicit Channel(mnl_socket* socket);
    Result<void> prepare();
    Result<std::size_t> receive_bytes();

    std::unique_ptr<mnl_socket, Close> socket_;
    std::uint32_t sequence_ = 0;
    std::vector<std::byte> buffer_;
};

} // namespace ballast::netlink
