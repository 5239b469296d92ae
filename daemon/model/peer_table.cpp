// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/peer_table.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace ballast {

namespace {

std::uint32_t median(std::vector<std::uint32_t>& values) {
    if (values.empty())
        return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

} // namespace

std::size_t PeerTable::HashKey::operator()(const Key& key) const {
    const auto& bytes = key.endpoint.address.bytes;
    const std::string_view address(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    constexpr std::size_t odd = 0x9e3779b97f4a7c15U;
    return std::hash<std::string_view>{}(address) ^
           ((std::size_t{key.endpoint.port} << 16U | key.service) * odd);
}

void PeerTable::add(std::span<const SweptFlow> flows) {
    for (const auto& flow : flows) {
        if (flow.is_inbound)
            continue;
        const Key key{flow.remote, flow.service};
        if (peers_.size() >= max_peers && !peers_.contains(key))
            ++left_out_;
        else
            add_to(peers_[key], flow);
    }
}

void PeerTable::add_to(Sums& sums, const SweptFlow& flow) {
    PeerRow& row = sums.row;
    ++row.connections;
    if (flow.state == TcpState::established) {
        row.idle_min_ms =
            row.established == 0 ? flow.idle.count() : std::min(row.idle_min_ms, flow.idle.count());
        ++row.established;
        row.governed += flow.is_outside ? 0U : 1U;
        row.idle_max_ms = std::max(row.idle_max_ms, flow.idle.count());
    } else if (flow.state == TcpState::syn_sent) {
        ++row.connecting;
    } else {
        ++row.closing;
    }
    if (flow.retransmits)
        ++row.retransmitting;
    if (flow.rtt_us)
        sums.rtts_us.push_back(flow.rtt_us);
}

std::vector<PeerRow>
PeerTable::take(const std::function<std::string(std::uint16_t)>& service_name) {
    std::vector<PeerRow> rows;
    rows.reserve(peers_.size());
    for (auto& [key, sums] : peers_) {
        sums.row.endpoint = key.endpoint;
        sums.row.service = service_name(key.service);
        sums.row.rtt_median_us = median(sums.rtts_us);
        rows.push_back(std::move(sums.row));
    }
    peers_.clear();
    left_out_ = 0;
    return rows;
}

} // namespace ballast
