// SPDX-License-Identifier: Apache-2.0
// Accounts for granted openings: programs take them from a shared word and report each in an event
// of its own, later and perhaps never. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>

namespace ballast::govern {

class TripAccount {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// Openings that programs may still take, as far as known.
    [[nodiscard]] std::uint32_t outstanding() const { return outstanding_; }

    /// False until the word was read: what was taken before belongs to an earlier daemon.
    [[nodiscard]] bool is_known() const { return is_known_; }

    /// The word holds `left`. Returns how many were taken since it was last known; negative: a
    /// program returned openings it did not use.
    std::int64_t look(std::uint32_t left, Monotonic now) {
        const std::int64_t taken = is_known_ ? std::int64_t{outstanding_} - left : 0;
        outstanding_ = left;
        is_known_ = true;
        for (std::int64_t i = 0; i < taken; ++i)
            if (ahead_)
                --ahead_;
            else
                untold_.push_back(now);
        for (std::int64_t i = taken; i < 0 && !untold_.empty(); ++i)
            untold_.pop_back();
        return taken;
    }

    /// `budget` was put in place of what the last look() saw, so all that was taken is known.
    void put(std::uint32_t budget) {
        outstanding_ = budget;
        is_known_ = true;
        ahead_ = 0;
    }

    /// An event reported an opening; it was taken before, whether look() has seen that or not.
    void told() {
        if (untold_.empty())
            ++ahead_;
        else
            untold_.pop_front();
    }

    /// Openings taken that no event has reported. An event may be lost, so they expire.
    [[nodiscard]] std::size_t untold() const { return untold_.size(); }
    void forget_before(Monotonic from) {
        while (!untold_.empty() && untold_.front() < from)
            untold_.pop_front();
    }

private:
    std::uint32_t outstanding_ = 0;
    bool is_known_ = false;
    std::uint32_t ahead_ = 0; ///< reported before they were seen to be taken
    std::deque<Monotonic> untold_;
};

} // namespace ballast::govern
