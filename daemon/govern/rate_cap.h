// SPDX-License-Identifier: Apache-2.0
// Token bucket: N actions a minute, burst N. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace ballast::govern {

class RateCap {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    explicit RateCap(std::uint32_t per_minute) : per_minute_(per_minute), left_(per_minute) {}

    /// A lower cap takes effect at once, a higher one fills up from what is left.
    void configure(std::uint32_t per_minute) {
        per_minute_ = per_minute;
        left_ = std::min(left_, static_cast<double>(per_minute));
    }

    /// Actions that may be taken now.
    std::uint32_t left(Monotonic now) {
        refill(now);
        return static_cast<std::uint32_t>(std::max(left_, 0.0));
    }

    /// Takes up to `wanted`; returns how many it took.
    std::uint32_t take(std::uint32_t wanted, Monotonic now) {
        const std::uint32_t taken = std::min(wanted, left(now));
        left_ -= taken;
        return taken;
    }

    /// Charges actions already taken; an overdraft is paid off before anything is left again.
    /// Negative: refunds actions that were counted but not taken.
    void charge(std::int64_t taken, Monotonic now) {
        refill(now);
        left_ = std::min<double>(per_minute_, left_ - static_cast<double>(taken));
    }

private:
    void refill(Monotonic now) {
        if (last_ != Monotonic{} && now > last_) {
            const std::chrono::duration<double, std::ratio<60>> minutes = now - last_;
            left_ = std::min<double>(per_minute_, left_ + minutes.count() * per_minute_);
        }
        last_ = std::max(last_, now);
    }

    std::uint32_t per_minute_;
    double left_;
    Monotonic last_;
};

} // namespace ballast::govern
