// SPDX-License-Identifier: Apache-2.0
// The source of facts about single flows.
#pragma once

#include <cstddef>
#include <optional>

#include "daemon/model/half_open.h"
#include "daemon/util/error.h"

namespace ballast::guards {

class FlowFacts {
public:
    FlowFacts() = default;
    virtual ~FlowFacts() = default;
    FlowFacts(const FlowFacts&) = delete;
    FlowFacts& operator=(const FlowFacts&) = delete;

    /// The flows of a peer's address, which may be more than the peer's; at most `max`.
    virtual Result<FlowList> flows_of(const PeerKey& peer, std::size_t max) = 0;

    /// One flow; nothing when there is no such socket.
    virtual Result<std::optional<DiagSocket>> find(std::uint32_t netns, const FlowKey& key) = 0;

    /// Destroys that flow and no other; the program that waits in it gets ECONNABORTED.
    virtual Result<Destroyed> destroy(std::uint32_t netns, const FlowKey& key) = 0;

    /// Whether this host still has the address that the peer's flows come from.
    virtual Result<bool> has_source(const PeerKey& peer) = 0;

    /// No queries for a while: closes what is kept open.
    virtual void rest() = 0;
};

} // namespace ballast::guards
