// SPDX-License-Identifier: Apache-2.0
// How much of its share a load balancer should give a listener, from pass to pass. Pure.
//
// Invariants
// Y1. By its accept queue: all of it up to `low_percent` full, the least at `high_percent`; and by
//     the age of the first that waits: all up to `age_low`, the least at `age_high`. The smaller of
//     both; in between it falls evenly.
// Y2. A pass is a sample, so the share falls half the way at each, and rises by `step` at most:
//     load that comes back at once would fill the queue again.
// Y3. The least is `floor`, not nothing: where all servers are busy alike, each still gets its
//     part. It is nothing where nobody accepts (listener_book.h, K1), since waiting there is in
//     vain.
// Y4. Ready is no more where the share is below `not_ready_below`, and is again from `ready_from`
//     on.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/model/listener_row.h"

namespace ballast::guards {

class Readiness {
public:
    static constexpr std::uint32_t low_percent = 25;
    static constexpr std::uint32_t high_percent = 75;
    static constexpr std::chrono::milliseconds age_low{100};
    static constexpr std::chrono::milliseconds age_high{1'000};
    static constexpr std::uint32_t step = 10;
    static constexpr std::uint32_t floor = 1;
    static constexpr std::uint32_t not_ready_below = 10;
    static constexpr std::uint32_t ready_from = 50;

    /// What one row asks for by itself, 0..100.
    static std::uint32_t wanted(const ListenerRow& row);

    /// Takes the rows of a pass.
    void read(const std::vector<ListenerRow>& rows);

    /// Of the sockets that take connections to the endpoint, together: those bound to it, or else
    /// to any address. `netns`: where; 0: in `own`, or else wherever there are any. None: nobody
    /// listens.
    [[nodiscard]] std::optional<ReadyRow> of(const Endpoint& endpoint, std::uint32_t netns,
                                             std::uint32_t own) const;

private:
    using Key = std::pair<std::uint32_t, std::uint32_t>; ///< namespace and inode
    struct Known {
        ListenerRow row;
        std::uint32_t percent = 100;
        bool is_ready = true;
        bool is_met = false;
    };
    using Members = std::vector<const Known*>;
    [[nodiscard]] Members members(const Endpoint& endpoint,
                                  std::optional<std::uint32_t> netns) const;
    static ReadyRow together(const Endpoint& endpoint, const Members& members);

    std::map<Key, Known> known_;
};

} // namespace ballast::guards
