// SPDX-License-Identifier: Apache-2.0
// Facts about flows from the kernel's socket diagnosis, in any network namespace.
#pragma once

#include <map>
#include <string>

#include "daemon/guards/half_open/wiring/flow_facts.h"
#include "daemon/netlink/diag.h"

namespace ballast::guards {

class DiagFacts final : public FlowFacts {
public:
    /// `proc` is "/proc", where namespaces are found.
    explicit DiagFacts(std::string proc) : proc_(std::move(proc)) {}

    /// Fails for a namespace that no process lives in and that is mounted nowhere.
    Result<FlowList> flows_of(const PeerKey& peer, std::size_t max) override;
    Result<std::optional<DiagSocket>> find(std::uint32_t netns, const FlowKey& key) override;
    Result<Destroyed> destroy(std::uint32_t netns, const FlowKey& key) override;
    Result<bool> has_source(const PeerKey& peer) override;
    /// Open sessions keep their namespaces alive.
    void rest() override { sessions_.clear(); }

private:
    Result<netlink::Diag*> session(std::uint32_t netns);

    std::string proc_;
    std::map<std::uint32_t, netlink::Diag> sessions_; ///< by the namespace's inode number
};

} // namespace ballast::guards
