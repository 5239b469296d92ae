// SPDX-License-Identifier: Apache-2.0
// Flows whose packets get no answer while their destination answers others, by sweeps alone. Half-
// open detection wants signs of life after the last try too, for it may destroy the flow. A client
// with a single connection gives it up and connects again, and the new one falls idle: one sign,
// between two failed tries. That is enough to learn from. Pure; time is passed in.
//
// Invariants:
//  1. A flow is reported if its peer was heard of on another flow after one of its packets had been
//     sent again in vain, and a later one of its tries has had no answer either; so the path worked
//     in between, and no single outage explains it.
//  2. One whose keepalive was given up, with `many` probes unanswered, is reported if its peer is
//     heard of within `at_once` after: to reconnect at once worked.
//  3. A flow is reported once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "daemon/guards/keepalive/idle_bound.h"
#include "daemon/util/address.h"

namespace ballast::guards {

/// A flow with something unanswered, as one sweep saw it.
struct TryLook {
    std::uint64_t cookie = 0;
    Endpoint remote;
    std::chrono::milliseconds trying{0};    ///< since the first retransmission; 0: probes only
    std::chrono::milliseconds since_try{0}; ///< since the last one
    std::uint32_t probes = 0;               ///< of keepalive, unanswered
};

class TryWatch {
public:
    using Monotonic = IdleBound::Monotonic;

    static constexpr std::size_t most_flows = 4'096;
    static constexpr std::size_t most_signs = 16; ///< of life, for each destination
    static constexpr std::uint32_t many = 5;
    static constexpr std::chrono::seconds at_once{15};
    /// How long an answer may take.
    static constexpr std::chrono::seconds answer{2};

    void on_trying(const TryLook& look, Monotonic now);
    [[nodiscard]] bool is_watched(const Endpoint& remote) const {
        return !signs_.empty() && signs_.contains(remote);
    }
    /// Another flow to a watched destination, with nothing unanswered.
    void on_heard(const Endpoint& remote, Monotonic heard);
    /// The sweep, which began at `began`, is over; the flows found dead.
    std::vector<std::uint64_t> end_sweep(Monotonic began, Monotonic now);
    void forget();
    [[nodiscard]] bool knows(std::uint64_t cookie) const { return flows_.contains(cookie); }

private:
    struct Flow {
        Endpoint remote;
        Monotonic first_try;
        Monotonic last_try;
        Monotonic met;
        std::uint32_t probes = 0;
        bool is_retransmitting = false;
        bool is_reported = false;
    };
    [[nodiscard]] bool is_dead(const Flow& flow, Monotonic began, Monotonic now) const;

    std::unordered_map<std::uint64_t, Flow> flows_;
    std::map<Endpoint, std::vector<Monotonic>> signs_; ///< of life, by destination
};

} // namespace ballast::guards
