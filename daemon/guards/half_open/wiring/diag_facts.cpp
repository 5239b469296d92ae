// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/half_open/wiring/diag_facts.h"

#include <algorithm>
#include <utility>

#include "daemon/guards/half_open/wiring/own_socket.h"
#include "daemon/kernel/namespaces.h"

namespace ballast::guards {

Result<netlink::Diag*> DiagFacts::session(std::uint32_t netns) {
    if (const auto known = sessions_.find(netns); known != sessions_.end())
        return &known->second;
    const auto spaces = kernel::find_net_namespaces(proc_);
    if (!spaces)
        return fail(spaces.error());
    const auto space = std::ranges::find(*spaces, netns, &kernel::NetNamespace::inode);
    if (space == spaces->end())
        return fail(Error(fmt::format("no process lives in network namespace {}, and it is mounted "
                                      "nowhere",
                                      netns)));
    const auto file = space->open();
    if (!file)
        return fail(file.error());
    auto opened = netlink::Diag::open(file->get());
    if (!opened)
        return fail(opened.error());
    return &sessions_.emplace(netns, std::move(*opened)).first->second;
}

Result<FlowList> DiagFacts::flows_of(const PeerKey& peer, std::size_t max) {
    auto diag = session(peer.netns);
    if (!diag)
        return fail(diag.error());
    const bool is_inbound = peer.direction == Direction::inbound;
    return (*diag)->flows_to(peer.address, is_inbound ? std::uint16_t{0} : peer.port, max);
}

Result<std::optional<DiagSocket>> DiagFacts::find(std::uint32_t netns, const FlowKey& key) {
    auto diag = session(netns);
    if (!diag)
        return fail(diag.error());
    return (*diag)->find(key);
}

Result<bool> DiagFacts::has_source(const PeerKey& peer) {
    return guards::has_source(peer, proc_);
}

Result<Destroyed> DiagFacts::destroy(std::uint32_t netns, const FlowKey& key) {
    auto diag = session(netns);
    if (!diag)
        return fail(diag.error());
    return (*diag)->destroy(key);
}

} // namespace ballast::guards
