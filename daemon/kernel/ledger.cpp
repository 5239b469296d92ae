// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/ledger.h"

#include <atomic>

#include "bpf/lib/limit.h"
#include "bpf/lib/reservation.h"

namespace ballast::kernel {

namespace {

/// Looks at a count that disagrees; a program needs far less time between its two writes.
constexpr int looks_at_mismatch = 3;

std::uint32_t in_use_of(const ballast_destination& destination) {
    return BALLAST_LOAD(destination.in_use) & ~BALLAST_RETIRED;
}

bool is_entry(std::uint64_t cookie) {
    return cookie && cookie != BALLAST_CLAIMED;
}

} // namespace

Ledger::Ledger(std::span<ballast_bucket> buckets, std::span<ballast_bucket_seen> seen,
               std::span<ballast_destination> destinations)
    : buckets_(buckets), seen_(seen), destinations_(destinations) {}

ballast_reservation& Ledger::entry(std::uint32_t number) const {
    return buckets_[number / BALLAST_BUCKET_WIDTH].entries[number % BALLAST_BUCKET_WIDTH];
}

bool Ledger::release(std::uint32_t number, std::uint64_t cookie) {
    __u32 destination = 0;
    if (!ballast_entry_release(&entry(number), cookie, &destination))
        return false;
    if (destination < destinations_.size())
        (void)ballast_give_back(&destinations_[destination].in_use);
    return true;
}

/// Changes with every admission, adoption and release.
std::uint64_t Ledger::activity(std::uint32_t destination) const {
    const auto& d = destinations_[destination];
    return BALLAST_LOAD(d.admitted) + BALLAST_LOAD(d.adopted) + (1ULL << 40U) * in_use_of(d);
}

std::uint64_t Ledger::reclaim_pending(std::uint32_t used, Monotonic now) {
    std::uint64_t total = 0;
    for (std::uint32_t d = 0; d < used; ++d)
        total += BALLAST_LOAD(destinations_[d].admitted);
    if (pending_.empty() && total == activity_at_reclaim_)
        return 0;
    activity_at_reclaim_ = total;

    std::uint64_t released = 0;
    Suspects still;
    const auto entries = static_cast<std::uint32_t>(buckets_.size() * BALLAST_BUCKET_WIDTH);
    for (std::uint32_t number = 0; number < entries; ++number) {
        const std::uint64_t cookie = BALLAST_LOAD(entry(number).cookie);
        if (!is_entry(cookie) || !(BALLAST_LOAD(entry(number).destination) & BALLAST_PENDING))
            continue;
        const auto known = pending_.find(number);
        const bool is_known = known != pending_.end() && known->second.cookie == cookie;
        if (!is_known)
            still.emplace(number, Suspect{cookie, now});
        else if (now - known->second.since < min_age)
            still.insert(*known);
        else if (release(number, cookie))
            ++released;
    }
    pending_ = std::move(still);
    return released;
}

void Ledger::begin_sweep(std::uint32_t used) {
    activity_at_begin_.resize(used);
    for (std::uint32_t d = 0; d < used; ++d)
        activity_at_begin_[d] = activity(d);
}

bool Ledger::is_quiet(std::uint32_t destination) const {
    return destination < activity_at_begin_.size() &&
           activity_at_begin_[destination] == activity(destination);
}

std::vector<std::uint32_t> Ledger::count_entries(std::uint32_t used) const {
    std::vector<std::uint32_t> counts(used);
    for (const auto& bucket : buckets_)
        for (const auto& reservation : bucket.entries) {
            const auto destination = BALLAST_LOAD(reservation.destination) & ~BALLAST_PENDING;
            if (is_entry(BALLAST_LOAD(reservation.cookie)) && destination < used)
                ++counts[destination];
        }
    return counts;
}

/// Where in_use and entries disagree now. Activity is read first: a destination to which anything
/// happens during the look has another activity at the next.
Ledger::Mismatches Ledger::look_at_counts(std::uint32_t used) const {
    std::vector<std::uint64_t> activities(used);
    for (std::uint32_t d = 0; d < used; ++d)
        activities[d] = activity(d);
    const auto counts = count_entries(used);
    Mismatches found;
    for (std::uint32_t d = 0; d < used; ++d) {
        const auto difference = static_cast<std::int64_t>(in_use_of(destinations_[d])) -
                                static_cast<std::int64_t>(counts[d]);
        if (difference)
            found.emplace(d, Mismatch{difference, activities[d]});
    }
    return found;
}

/// A program between its two writes disagrees for less time than one look takes.
Ledger::Mismatches Ledger::lasting_mismatches(std::uint32_t used) const {
    Mismatches lasting = look_at_counts(used);
    for (int look = 1; look < looks_at_mismatch && !lasting.empty(); ++look) {
        const Mismatches again = look_at_counts(used);
        std::erase_if(lasting, [&](const auto& mismatch) {
            const auto still = again.find(mismatch.first);
            return still == again.end() || still->second != mismatch.second;
        });
    }
    return lasting;
}

void Ledger::judge_counts(std::uint32_t used, LedgerFindings& findings) {
    Mismatches lasting = lasting_mismatches(used);
    std::erase_if(lasting, [&](const auto& mismatch) {
        const auto& [d, now] = mismatch;
        findings.drift[d] += now.difference;
        const auto known = mismatches_.find(d);
        if (known == mismatches_.end() || known->second.difference != now.difference)
            return false;
        __atomic_fetch_sub(&destinations_[d].in_use, static_cast<std::uint32_t>(now.difference),
                           __ATOMIC_SEQ_CST);
        ++findings.repairs;
        return true;
    });
    mismatches_ = std::move(lasting);
}

bool Ledger::may_judge(std::uint32_t netns, const std::unordered_set<std::uint32_t>& visited,
                       Monotonic now) {
    if (visited.contains(netns))
        return true;
    const auto [last, is_new] = last_visit_.try_emplace(netns, now);
    return !is_new && now - last->second >= lost_namespace_age;
}

void Ledger::judge_unseen(std::uint32_t sweep, const std::unordered_set<std::uint32_t>& visited,
                          Monotonic now, LedgerFindings& findings) {
    Suspects unseen;
    const auto entries = static_cast<std::uint32_t>(buckets_.size() * BALLAST_BUCKET_WIDTH);
    for (std::uint32_t number = 0; number < entries; ++number) {
        const std::uint64_t cookie = BALLAST_LOAD(entry(number).cookie);
        const std::uint32_t destination = BALLAST_LOAD(entry(number).destination);
        const std::uint32_t met =
            seen_[number / BALLAST_BUCKET_WIDTH].sweep[number % BALLAST_BUCKET_WIDTH];
        if (!is_entry(cookie) || (destination & BALLAST_PENDING) || met == sweep ||
            !may_judge(entry(number).netns, visited, now))
            continue;
        const auto known = unseen_.find(number);
        const bool is_known = known != unseen_.end() && known->second.cookie == cookie;
        if (is_known && now - known->second.since >= min_age) {
            if (release(number, cookie)) {
                ++findings.drift[destination];
                ++findings.repairs;
            }
            continue;
        }
        unseen.emplace(number, is_known ? known->second : Suspect{cookie, now});
        if (is_quiet(destination))
            ++findings.drift[destination];
    }
    unseen_ = std::move(unseen);
}

LedgerFindings Ledger::end_sweep(std::uint32_t sweep,
                                 const std::unordered_set<std::uint32_t>& visited,
                                 std::uint32_t used, Monotonic now) {
    LedgerFindings findings;
    for (const auto netns : visited)
        last_visit_[netns] = now;
    std::erase_if(last_visit_,
                  [&](const auto& visit) { return now - visit.second > 2 * lost_namespace_age; });
    judge_counts(used, findings);
    judge_unseen(sweep, visited, now, findings);
    return findings;
}

} // namespace ballast::kernel
