// SPDX-License-Identifier: Apache-2.0
// The counts that reservations hold places in, as memory shared with the programs, and what they
// should be by the reservations there are (invariant R4 of bpf/lib/reservation.h).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "bpf/abi.h"
#include "daemon/kernel/mapped.h"
#include "daemon/kernel/maps.h"

namespace ballast::kernel {

/// How many elements of the tables have ever been used.
struct Used {
    std::uint32_t destinations = 0;
    std::uint32_t shares = 0;
};
Used used(const Maps& maps);

/// Names one count: a destination's, a service's total, or a share.
enum class CountKind : std::uint8_t { destination, total, share };
struct CountId {
    CountKind kind = CountKind::destination;
    std::uint32_t index = 0; ///< of the map of that kind

    bool operator==(const CountId&) const = default;
};
struct HashCountId {
    std::size_t operator()(const CountId& id) const {
        return std::hash<std::uint64_t>{}(
            (std::uint64_t{static_cast<std::uint8_t>(id.kind)} << 32U) | id.index);
    }
};

class Counts {
public:
    struct Memory {
        const Mapped<ballast_destination>& destinations;
        const Mapped<ballast_total>& totals;
        const Mapped<ballast_consumer>& consumers;
        const Mapped<ballast_share>& shares;
        const std::uint32_t& next_share; ///< how many of `shares` have ever been used
    };

    /// How many reservations there are for each count, zeros left out.
    using Tally = std::unordered_map<CountId, std::uint32_t, HashCountId>;

    explicit Counts(Memory memory) : memory_(memory) {}

    /// The counts that a reservation with this word `held` (BALLAST_PENDING apart) is in. A service
    /// or share that is not in the tables is left out.
    [[nodiscard]] std::vector<CountId> held(std::uint32_t word) const;

    /// All counts in use: `destinations` and `shares` are the numbers of elements ever used.
    [[nodiscard]] std::vector<CountId> all(std::uint32_t destinations, std::uint32_t shares) const;

    [[nodiscard]] Tally tally(std::span<const ballast_bucket> buckets) const;

    [[nodiscard]] std::uint32_t in_use(CountId id) const;
    void give_back(CountId id) const;
    /// Subtracts the excess, or adds what is missing (negative).
    void correct(CountId id, std::int64_t excess) const;

    /// Changes with every admission, adoption and release of the destination.
    [[nodiscard]] std::uint64_t destination_activity(std::uint32_t destination) const;

    /// The same for any count; `by_service` is what activity_by_service() gave.
    [[nodiscard]] std::uint64_t activity(CountId id,
                                         std::span<const std::uint64_t> by_service) const;
    [[nodiscard]] std::vector<std::uint64_t> activity_by_service(std::uint32_t destinations) const;

    /// The first `count`.
    [[nodiscard]] std::span<ballast_destination> destinations(std::size_t count) const {
        return memory_.destinations.first(count);
    }

private:
    [[nodiscard]] std::uint32_t* word(CountId id) const;
    [[nodiscard]] std::uint32_t unit_of(std::uint32_t consumer) const;

    Memory memory_;
};

/// The counts of a loaded Ballast.
Counts::Memory counts_of(const Maps& maps);

/// Whether an entry's cookie is a socket's.
constexpr bool is_entry(std::uint64_t cookie) {
    return cookie != 0 && cookie != BALLAST_CLAIMED;
}

} // namespace ballast::kernel
