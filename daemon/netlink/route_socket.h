// SPDX-License-Identifier: Apache-2.0
// A NETLINK_ROUTE socket of the caller's network namespace, and what a dump says on it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "daemon/util/error.h"

struct mnl_socket;
struct nlmsghdr;

namespace ballast::netlink {

class RouteSocket {
public:
    /// `groups`: those of RTMGRP_ that it listens to.
    static Result<RouteSocket> open(unsigned groups = 0);

    [[nodiscard]] int descriptor() const;

    /// Asks for a dump of `type` (RTM_GETLINK), with `header` of `size` bytes, and calls `take` for
    /// each message of the answer. `what` is for the error: "network devices".
    Result<void> dump(std::uint16_t type, const void* header, std::size_t size, const char* what,
                      const std::function<void(const nlmsghdr&)>& take);

private:
    struct Close {
        void operator()(mnl_socket* socket) const;
    };
    explicit RouteSocket(mnl_socket* socket) : socket_(socket) {}

    std::unique_ptr<mnl_socket, Close> socket_;
    std::uint32_t sequence_ = 0;
};

} // namespace ballast::netlink
