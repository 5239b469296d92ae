// SPDX-License-Identifier: Apache-2.0
// Which network namespaces a sweep visits one by one after its pass over files, and when it stops.
// Pure.
//
// Order: first what nothing but a visit can settle, and of equals the one that has waited longest:
//   1. a reservation was not met: only a visit that does not meet it either is evidence,
//   2. keepalive is to be set or given back,
//   3. the kernel counts other sockets than were met: some have no file,
//   4. all others, since counts may agree by chance.
// Every fourth visit goes to the one that has waited longest of all, so that none starves
// behind others whose reasons stay.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace ballast::kernel {

class VisitPlan {
public:
    /// One visit in this many is chosen by waiting time alone.
    static constexpr std::uint64_t fair_turn = 4;

    /// Reasons to visit a namespace.
    struct Reasons {
        bool is_unmet = false;      ///< a reservation there was not met
        bool is_untuned = false;    ///< some socket's keepalive is not as it should be
        bool is_miscounted = false; ///< the kernel counts more or fewer sockets than were met
    };
    struct Candidate {
        std::uint32_t netns; ///< inode number
        Reasons reasons;
    };

    /// A new sweep, with every namespace there is; when others were visited is forgotten. `budget`:
    /// CPU time that the sweep may take in all.
    void begin(std::vector<Candidate> candidates, std::chrono::nanoseconds budget);

    /// The namespace to visit now, which counts as visited then; none when all were, or when
    /// another visit that costs as much as the last would exceed the budget. There is always one.
    /// `spent`: CPU time of the sweep up to now.
    std::optional<std::uint32_t> next(std::chrono::nanoseconds spent);

private:
    [[nodiscard]] std::uint64_t last_visit(std::uint32_t netns) const;

    std::vector<Candidate> left_;
    std::unordered_map<std::uint32_t, std::uint64_t> visited_; ///< number of the last visit
    std::uint64_t visits_ = 0;                                 ///< in all sweeps
    bool is_first_ = true;
    std::chrono::nanoseconds budget_{0};
    std::chrono::nanoseconds spent_{0}; ///< before the visit under way
};

} // namespace ballast::kernel
