// SPDX-License-Identifier: Apache-2.0
// Which flows have their peer in their own network namespace: a sidecar, or a transparent proxy to
// which packets are redirected, so that the remote address does not say so. Their silences are
// those of no path. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_set>

#include "daemon/util/address.h"

namespace ballast::guards {

class LocalPeers {
public:
    static constexpr std::size_t most_flows = 262'144;

    /// A sweep met an accepted flow of a namespace (inode number): its remote end is the local one
    /// of a flow that connected.
    void on_accepted(std::uint32_t netns, const Endpoint& remote) {
        if (now_.size() < most_flows)
            now_.insert(number_of(netns, remote));
    }
    /// That sweep is over.
    void end_sweep() {
        before_.swap(now_);
        now_.clear();
    }

    /// By this sweep and the one before.
    [[nodiscard]] bool is_local(std::uint32_t netns, const Endpoint& local,
                                const Endpoint& remote) const {
        if (local.address == remote.address || is_loopback(remote.address))
            return true;
        const auto number = number_of(netns, local);
        return before_.contains(number) || now_.contains(number);
    }

private:
    static std::uint64_t number_of(std::uint32_t netns, const Endpoint& end) {
        const auto* bytes = reinterpret_cast<const char*>(end.address.bytes.data());
        const std::string_view text(bytes, end.address.bytes.size());
        constexpr std::uint64_t factor = 65599;
        const std::uint64_t address = std::hash<std::string_view>()(text);
        return (address * factor + end.port) * factor + netns;
    }
    static bool is_loopback(const Address& address) {
        constexpr std::uint8_t net = 127;
        Address one;
        one.bytes.back() = 1;
        return address == one || (address.is_v4() && address.bytes.at(12) == net);
    }

    std::unordered_set<std::uint64_t> now_;
    std::unordered_set<std::uint64_t> before_;
};

} // namespace ballast::guards
