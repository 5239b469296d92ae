// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/ledger.h"

#include <atomic>

#include "bpf/lib/limit.h"
#include "bpf/lib/reservation.h"

namespace ballast::kernel {

namespace {

/// Looks at a count that disagrees; a program needs far less time between its two writes.
constexpr int looks_at_mismatch = 3;

/// Whether a sweep has not met the socket of an entry, which has to be there for more than a
/// connect under way.
bool is_unmet(const ballast_reservation& entry, std::uint32_t met, std::uint32_t sweep) {
    return met != sweep && is_entry(BALLAST_LOAD(entry.cookie)) &&
           !(BALLAST_LOAD(entry.held) & BALLAST_PENDING);
}

} // namespace

std::unordered_set<std::uint32_t> namespaces_unmet(std::span<const ballast_bucket> buckets,
                                                   std::span<const ballast_bucket_seen> seen,
                                                   std::uint32_t sweep) {
    std::unordered_set<std::uint32_t> unmet;
    for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket)
        for (std::size_t i = 0; i < BALLAST_BUCKET_WIDTH; ++i)
            if (const auto& entry = buckets[bucket].entries[i];
                is_unmet(entry, seen[bucket].sweep[i], sweep))
                unmet.insert(entry.netns);
    return unmet;
}

Ledger::Ledger(std::span<ballast_bucket> buckets, std::span<ballast_bucket_seen> seen,
               Counts::Memory memory, Barrier barrier)
    : reservations_(buckets, memory), seen_(seen), barrier_(std::move(barrier)) {}

void Ledger::begin_sweep(Used used) {
    activity_at_begin_.resize(used.destinations);
    for (std::uint32_t d = 0; d < used.destinations; ++d)
        activity_at_begin_[d] = counts().destination_activity(d);
}

bool Ledger::is_quiet(std::uint32_t destination) const {
    return destination < activity_at_begin_.size() &&
           activity_at_begin_[destination] == counts().destination_activity(destination);
}

/// Where in_use and entries disagree now. Activity is read first: a count to which anything happens
/// during the look has another activity at the next.
Ledger::Mismatches Ledger::look_at_counts(Used used) const {
    const auto by_service = counts().activity_by_service(used.destinations);
    const auto ids = counts().all(used.destinations, used.shares);
    std::vector<std::uint64_t> activities;
    activities.reserve(ids.size());
    for (const CountId id : ids)
        activities.push_back(counts().activity(id, by_service));
    const auto tally = counts().tally(reservations_.buckets());
    Mismatches found;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto entries = tally.find(ids[i]);
        const auto difference =
            static_cast<std::int64_t>(counts().in_use(ids[i])) -
            static_cast<std::int64_t>(entries == tally.end() ? 0 : entries->second);
        if (difference)
            found.emplace(ids[i], Mismatch{difference, activities[i]});
    }
    return found;
}

/// A program between its two writes disagrees for less time than one look takes.
Ledger::Mismatches Ledger::lasting_mismatches(Used used) const {
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

/// A program may be held up between its two writes for as long as its thread or its processor gets
/// no time, which has been seen to exceed `min_age`; hence the barrier.
std::uint64_t Ledger::correct(const Mismatches& due, Used used) {
    if (due.empty() || !barrier_())
        return 0;
    const Mismatches still = look_at_counts(used);
    std::uint64_t corrected = 0;
    for (const auto& [id, mismatch] : due) {
        const auto found = still.find(id);
        if (found == still.end() || found->second != mismatch)
            continue;
        counts().correct(id, mismatch.difference);
        ++corrected;
    }
    return corrected;
}

void Ledger::judge_counts(Used used, Monotonic now, LedgerFindings& findings) {
    Mismatches still, due;
    for (const auto& [id, mismatch] : lasting_mismatches(used)) {
        if (id.kind == CountKind::destination)
            findings.drift[id.index] += mismatch.difference;
        else
            ++findings.other_drift;
        const auto known = mismatches_.find(id);
        const bool is_known =
            known != mismatches_.end() && known->second.difference == mismatch.difference;
        const Monotonic since = is_known ? known->second.since : now;
        if (now - since < min_age)
            still.emplace(id, Mismatch{mismatch.difference, mismatch.activity, since});
        else
            due.emplace(id, mismatch);
    }
    findings.repairs += correct(due, used);
    mismatches_ = std::move(still);
}

bool Ledger::may_judge(std::uint32_t netns, const std::unordered_set<std::uint32_t>& visited,
                       Monotonic now) {
    if (visited.contains(netns))
        return true;
    const auto [last, is_new] = last_found_.try_emplace(netns, now);
    return !is_new && now - last->second >= lost_namespace_age;
}

/// The suspicion against an entry that the sweep missed; `was_there`: surely so when it began.
Ledger::Suspect Ledger::suspect_unseen(std::uint32_t number, std::uint64_t cookie, bool was_there,
                                       Monotonic now) const {
    const auto known = unseen_.find(number);
    if (known == unseen_.end() || known->second.cookie != cookie)
        return {cookie, now, !was_there};
    return known->second.is_new ? Suspect{cookie, now} : known->second;
}

void Ledger::judge_one(std::uint32_t number, std::uint64_t cookie, Monotonic now, Suspects& unseen,
                       LedgerFindings& findings) {
    const std::uint32_t destination =
        ballast_held_destination(BALLAST_LOAD(reservations_.at(number).held));
    const bool was_there = is_quiet(destination);
    const Suspect suspect = suspect_unseen(number, cookie, was_there, now);
    if (now - suspect.since >= min_age) {
        if (reservations_.release(number, cookie)) {
            ++findings.drift[destination];
            ++findings.repairs;
        }
        return;
    }
    unseen.emplace(number, suspect);
    if (was_there)
        ++findings.drift[destination];
}

void Ledger::judge_unseen(std::uint32_t sweep, const std::unordered_set<std::uint32_t>& visited,
                          Monotonic now, LedgerFindings& findings) {
    Suspects unseen;
    const auto entries = reservations_.size();
    for (std::uint32_t number = 0; number < entries; ++number) {
        const std::uint64_t cookie = BALLAST_LOAD(reservations_.at(number).cookie);
        const std::uint32_t met =
            seen_[number / BALLAST_BUCKET_WIDTH].sweep[number % BALLAST_BUCKET_WIDTH];
        if (!is_entry(cookie) || !is_unmet(reservations_.at(number), met, sweep))
            continue;
        if (may_judge(reservations_.at(number).netns, visited, now))
            judge_one(number, cookie, now, unseen, findings);
        else if (const auto known = unseen_.find(number); known != unseen_.end())
            unseen.insert(*known);
    }
    unseen_ = std::move(unseen);
}

/// One that was not visited is as fresh as one that was: it is there.
void Ledger::note_spaces(const Spaces& spaces, Monotonic now) {
    for (const auto* found : {&spaces.visited, &spaces.not_visited})
        for (const auto netns : *found)
            last_found_[netns] = now;
    std::erase_if(last_found_,
                  [&](const auto& found) { return now - found.second > 2 * lost_namespace_age; });
}

LedgerFindings Ledger::end_sweep(std::uint32_t sweep, const Spaces& spaces, Used used,
                                 Monotonic now) {
    LedgerFindings findings;
    note_spaces(spaces, now);
    judge_counts(used, now, findings);
    judge_unseen(sweep, spaces.visited, now, findings);
    return findings;
}

} // namespace ballast::kernel
