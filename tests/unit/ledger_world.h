// SPDX-License-Identifier: Apache-2.0
// A ledger over tables in plain memory, with sockets, sweeps and a clock that are moved by hand.
#pragma once

#include <functional>
#include <unordered_set>
#include <vector>

#include "bpf/lib/reservation.h"
#include "daemon/kernel/ledger.h"
#include "daemon/kernel/pending_reservations.h"
#include "tests/harness/cmocka.hpp"

namespace ledger_world {

using ballast::kernel::Ledger;
using ballast::kernel::LedgerFindings;
using ballast::kernel::Mapped;
using ballast::kernel::Monotonic;
using ballast::kernel::PendingReservations;
using std::chrono::minutes;
using std::chrono::seconds;

inline constexpr std::uint32_t here = 4026531833; ///< a network namespace
inline const std::unordered_set<std::uint32_t> only_here{here};
inline const std::unordered_set<std::uint32_t> nowhere;
inline constexpr std::uint32_t destinations_used = 3;
inline constexpr Ledger::Used used{.destinations = destinations_used, .shares = 2};

/// Tables of the daemon's maps in plain memory, and a clock that is moved by hand.
struct World {
    std::vector<ballast_bucket> buckets{BALLAST_BUCKETS};
    std::vector<ballast_bucket_seen> seen{BALLAST_BUCKETS};
    std::vector<ballast_destination> destinations{destinations_used};
    std::vector<ballast_total> totals{BALLAST_MAX_SERVICES};
    std::vector<ballast_consumer> consumers{8};
    std::vector<ballast_share> shares{8};
    std::uint32_t next_share = used.shares;
    Mapped<ballast_destination> destination_rows = Mapped<ballast_destination>::over(destinations);
    Mapped<ballast_total> total_rows = Mapped<ballast_total>::over(totals);
    Mapped<ballast_consumer> consumer_rows = Mapped<ballast_consumer>::over(consumers);
    Mapped<ballast_share> share_rows = Mapped<ballast_share>::over(shares);
    /// What programs do until the last that runs has ended; whether that could be awaited.
    std::function<bool()> programs_end = [] { return true; };
    Ledger ledger{buckets,
                  seen,
                  {destination_rows, total_rows, consumer_rows, share_rows, next_share},
                  [this] { return programs_end(); }};
    PendingReservations pending{
        buckets, {destination_rows, total_rows, consumer_rows, share_rows, next_share}};
    Monotonic now{};
    std::uint32_t sweep = 0;

    /// As connect() does.
    void admit(std::uint64_t cookie, std::uint32_t destination, std::uint32_t netns = here) {
        ++destinations[destination].in_use;
        ballast_bucket_insert(&buckets[ballast_bucket_choice(cookie, 0)], cookie, destination,
                              netns);
        ++destinations[destination].admitted;
    }

    /// A sweep `later` that meets the sockets `met` and finds the namespaces of `spaces`.
    LedgerFindings sweep_over(const std::vector<std::uint64_t>& met, const Ledger::Spaces& spaces,
                              seconds later = seconds(5)) {
        now += later;
        ledger.begin_sweep(used);
        ++sweep;
        for (const auto cookie : met) {
            const auto bucket = ballast_bucket_choice(cookie, 0);
            const int place = ballast_bucket_find(&buckets[bucket], cookie);
            assert_true(place >= 0);
            seen[bucket].sweep[place] = sweep;
        }
        return ledger.end_sweep(sweep, spaces, used, now);
    }
    /// One that visits the namespace `here`, which is all there is.
    LedgerFindings visit(const std::vector<std::uint64_t>& met, seconds later = seconds(5)) {
        return sweep_over(met, {only_here, nowhere}, later);
    }

    [[nodiscard]] bool has(std::uint64_t cookie) const {
        return ballast_bucket_find(&buckets[ballast_bucket_choice(cookie, 0)], cookie) >= 0;
    }
};

} // namespace ledger_world
