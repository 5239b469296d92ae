// SPDX-License-Identifier: Apache-2.0
// The network devices of a namespace, as they come and go, by rtnetlink.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/netlink/route_socket.h"
#include "daemon/util/error.h"

namespace ballast::netlink {

struct Device {
    std::uint32_t index = 0;
    std::string name;
    std::uint32_t xdp = 0;    ///< id of the XDP program that it runs before anything else; 0: none
    std::string part_of = {}; ///< kind of the device that it is a port of: "bond", "bridge", "vrf"

    bool operator==(const Device&) const = default;
};

class Links {
public:
    /// Of the caller's network namespace.
    static Result<Links> open();

    /// All of them, by index.
    Result<std::vector<Device>> all();

    /// Becomes readable when a device came, went or changed.
    [[nodiscard]] int descriptor() const;
    /// Takes what has come; it says no more than that all() may differ.
    void consume();

private:
    Links(RouteSocket asking, RouteSocket listening)
        : asking_(std::move(asking)), listening_(std::move(listening)) {}

    RouteSocket asking_;
    RouteSocket listening_;
};

/// Whether `name` matches a glob of '*' and '?'.
bool matches_glob(const std::string& glob, const std::string& name);

} // namespace ballast::netlink
