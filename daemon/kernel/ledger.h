// SPDX-License-Identifier: Apache-2.0
// The daemon's side of the reservation table (bpf/lib/reservation.h): finds reservations that no
// socket stands behind and counts that do not match their reservations, reports them as drift and
// repairs what it has seen twice. Works on the same memory as the programs, by the same swaps, so
// that whatever both try is done once (invariant R2).
//
// Invariants
// L1  Nothing is changed on one observation: a second one, at least `min_age` later, must agree. A
//     sweep observes nothing of what came after its beginning. A count is corrected only once no
//     program can still be between its two writes: it is unchanged after all that ran have ended.
// L2  Not to have looked proves nothing: a reservation in a namespace that is there and was not
//     visited in a sweep is not judged by it, however long that lasts; what an earlier sweep has
//     against it stays as it was. The pass over files is no visit: it may clear, not accuse, for a
//     socket may be there without a file. A reservation in a namespace that is found nowhere is
//     judged once it has not been found for `lost_namespace_age` (longer than the kernel keeps
//     orphans).
// L3  A destination's drift is reported at first sight only if nothing happened to it since the
//     sweep began; a busy one is judged by the second observation.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bpf/abi.h"
#include "daemon/kernel/reservations.h"

namespace ballast::kernel {

struct LedgerFindings {
    /// in_use less what could be accounted for, by index of `destinations`; zeros left out.
    std::unordered_map<std::uint32_t, std::int64_t> drift;
    /// Totals and shares that did not match the reservations there are.
    std::uint64_t other_drift = 0;
    std::uint64_t repairs = 0;
};

/// Network namespaces, by inode number, of reservations whose socket sweep number `sweep` has not
/// met up to now; those of connects under way are left out.
std::unordered_set<std::uint32_t> namespaces_unmet(std::span<const ballast_bucket> buckets,
                                                   std::span<const ballast_bucket_seen> seen,
                                                   std::uint32_t sweep);

class Ledger {
public:
    static constexpr std::chrono::seconds min_age{1};
    static constexpr std::chrono::minutes lost_namespace_age{15};

    using Used = kernel::Used;

    /// Waits until every program that runs now has ended; false: could not.
    using Barrier = std::function<bool()>;

    Ledger(std::span<ballast_bucket> buckets, std::span<ballast_bucket_seen> seen,
           Counts::Memory memory, Barrier barrier);

    /// Notes what is true before a sweep visits its first socket.
    void begin_sweep(Used used);

    /// Inode numbers of the network namespaces that a sweep found: those whose every socket it
    /// visited, and the others, which could not be visited or not yet.
    struct Spaces {
        const std::unordered_set<std::uint32_t>& visited;
        const std::unordered_set<std::uint32_t>& not_visited;
    };

    /// Judges what sweep number `sweep` saw.
    LedgerFindings end_sweep(std::uint32_t sweep, const Spaces& spaces, Used used, Monotonic now);

private:
    struct Suspect {
        std::uint64_t cookie;
        Monotonic since;
        bool is_new = false; ///< may have come after the sweep began that missed it
    };
    struct Mismatch {
        std::int64_t difference; ///< in_use less entries
        std::uint64_t activity;
        Monotonic since{}; ///< when a sweep first met it
        bool operator==(const Mismatch&) const = default;
    };
    using Mismatches = std::unordered_map<CountId, Mismatch, HashCountId>;
    using Suspects = std::unordered_map<std::uint32_t, Suspect>; ///< by entry number

    [[nodiscard]] const Counts& counts() const { return reservations_.counts(); }
    void judge_counts(Used used, Monotonic now, LedgerFindings& findings);
    [[nodiscard]] Mismatches look_at_counts(Used used) const;
    [[nodiscard]] Mismatches lasting_mismatches(Used used) const;
    std::uint64_t correct(const Mismatches& due, Used used);
    [[nodiscard]] Suspect suspect_unseen(std::uint32_t number, std::uint64_t cookie, bool was_there,
                                         Monotonic now) const;
    void judge_unseen(std::uint32_t sweep, const std::unordered_set<std::uint32_t>& visited,
                      Monotonic now, LedgerFindings& findings);
    void judge_one(std::uint32_t number, std::uint64_t cookie, Monotonic now, Suspects& unseen,
                   LedgerFindings& findings);
    void note_spaces(const Spaces& spaces, Monotonic now);
    bool may_judge(std::uint32_t netns, const std::unordered_set<std::uint32_t>& visited,
                   Monotonic now);
    [[nodiscard]] bool is_quiet(std::uint32_t destination) const;

    Reservations reservations_;
    std::span<ballast_bucket_seen> seen_;
    Barrier barrier_;
    Suspects unseen_;
    std::vector<std::uint64_t> activity_at_begin_;
    Mismatches mismatches_;                                   ///< of the last sweep
    std::unordered_map<std::uint32_t, Monotonic> last_found_; ///< namespaces, by inode number
};

} // namespace ballast::kernel
