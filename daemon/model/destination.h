// SPDX-License-Identifier: Apache-2.0
// One governed destination with its counts, as the programs keep it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>

#include "daemon/util/address.h"

namespace ballast {

/// Why connections are turned away: the limit, the total, the consumer's share, the rate, and
/// the breaker, in that order (bpf/abi.h, enum ballast_reason).
inline constexpr std::size_t kReasons = 5;
using ReasonCounts = std::array<std::uint64_t, kReasons>;

/// All of them.
constexpr std::uint64_t total(const ReasonCounts& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

struct Destination {
    std::uint32_t index = 0; ///< by which the programs know it
    Endpoint endpoint;
    std::uint16_t service = 0;  ///< as the maps call it
    std::uint32_t in_use = 0;   ///< reservations held
    std::uint64_t admitted = 0; ///< connect() calls that got a reservation
    std::uint64_t adopted = 0;  ///< older sockets counted by a sweep
    ReasonCounts refused{};
    ReasonCounts over_limit{}; ///< admitted over the limit, as observe mode does
};

/// Times that keepalive `auto` is based on; 0: not known.
struct KeepaliveTimes {
    std::chrono::milliseconds longest{0}; ///< silence that is sure to be survived
    std::chrono::milliseconds died{0};    ///< silence after which flows were dropped
};

} // namespace ballast
