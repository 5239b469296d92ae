// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/sockets_met.h"

#include <algorithm>

namespace ballast::kernel {

namespace {

constexpr std::uint8_t listening = 10; // include/net/tcp_states.h

/// Moves the records that hold to the front.
template <typename Holds>
std::span<const ballast_flow> keep(std::span<ballast_flow> flows, Holds holds) {
    const auto rest =
        std::ranges::remove_if(flows, [&](const ballast_flow& flow) { return !holds(flow); });
    return flows.first(flows.size() - rest.size());
}

} // namespace

void SocketsMet::begin() {
    cookies_.clear();
    waiting_.clear();
    spaces_.clear();
    not_told_apart_ = 0;
}

bool SocketsMet::is_new(std::uint64_t cookie) {
    if (cookies_.size() < most)
        return cookies_.insert(cookie).second;
    if (cookies_.contains(cookie))
        return false;
    ++not_told_apart_;
    return true;
}

bool SocketsMet::has_to_wait(const ballast_flow& flow) {
    return flow.retune && waiting_.size() < most_waiting && !cookies_.contains(flow.cookie);
}

/// Counts a record of the pass over files; whether it is to be reported now.
bool SocketsMet::note(const ballast_flow& flow) {
    if (waiting_.contains(flow.cookie))
        return false;
    const bool waits = has_to_wait(flow);
    if (waits)
        waiting_.emplace(flow.cookie, flow);
    else if (!is_new(flow.cookie))
        return false;
    InNamespace& space = spaces_[flow.netns];
    ++space.sockets;
    space.is_untuned = space.is_untuned || flow.retune;
    return !waits && flow.state != listening;
}

std::span<const ballast_flow> SocketsMet::from_files(std::span<ballast_flow> flows) {
    return keep(flows, [&](const ballast_flow& flow) { return note(flow); });
}

std::span<const ballast_flow> SocketsMet::from_visit(std::span<ballast_flow> flows) {
    return keep(flows,
                [&](const ballast_flow& flow) { return !flow.cookie || is_new(flow.cookie); });
}

std::vector<ballast_flow> SocketsMet::waited() {
    std::vector<ballast_flow> rest;
    for (const auto& [cookie, flow] : waiting_)
        if (!cookies_.contains(cookie))
            rest.push_back(flow);
    begin();
    return rest;
}

SocketsMet::InNamespace SocketsMet::in(std::uint32_t netns) const {
    const auto found = spaces_.find(netns);
    return found == spaces_.end() ? InNamespace{} : found->second;
}

} // namespace ballast::kernel
