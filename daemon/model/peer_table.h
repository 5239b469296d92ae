// SPDX-License-Identifier: Apache-2.0
// Adds up the sockets of one sweep by remote endpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/model/snapshot.h"
#include "daemon/model/swept_flow.h"

namespace ballast {

class PeerTable {
public:
    /// Endpoints kept; sockets of further ones are only counted as left out.
    static constexpr std::size_t max_peers = 16384;

    /// Takes outbound sockets; inbound ones are passed over.
    void add(std::span<const SweptFlow> flows);

    /// The rows, with service ids turned into names. Empties the table.
    std::vector<PeerRow> take(const std::function<std::string(std::uint16_t)>& service_name);

    /// Sockets that belonged to endpoints beyond max_peers.
    [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

private:
    struct Key {
        Endpoint endpoint;
        std::uint16_t service = 0;
        bool operator==(const Key&) const = default;
    };
    struct HashKey {
        std::size_t operator()(const Key& key) const;
    };
    struct Sums {
        PeerRow row;
        std::vector<std::uint32_t> rtts_us;
    };

    static void add_to(Sums& sums, const SweptFlow& flow);

    std::uint64_t left_out_ = 0;
    std::unordered_map<Key, Sums, HashKey> peers_;
};

} // namespace ballast
