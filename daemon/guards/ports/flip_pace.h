// SPDX-License-Identifier: Apache-2.0
// Which parity of local ports connect() is to search first in a network namespace, and when that
// has to be asked again. Counted by passes, followed between them by what is opened and what ends.
// Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "daemon/model/ports.h"

namespace ballast::guards {

class FlipPace {
public:
    using Monotonic = std::chrono::steady_clock::time_point;

    /// A flip costs tens of microseconds (a sysctl), so no more than 20 a second.
    static constexpr std::chrono::milliseconds shortest{50};
    /// Passes come at least as often while a tuple is in trouble.
    static constexpr std::chrono::seconds longest{1};

    /// A pass counted this: free ports of each parity of the tuple that is worst off, and the
    /// connections of it that are opened, and mini-sockets that end, a second.
    void count(const PortsByParity& free, bool is_even_first, double opens_per_s, double ends_per_s,
               Monotonic now) {
        even_ = free.even;
        odd_ = free.odd;
        is_even_first_ = is_even_first;
        opens_per_s_ = opens_per_s;
        ends_per_s_ = ends_per_s;
        at_ = now;
    }

    /// Whether the other parity has more free ports now, as far as is known.
    [[nodiscard]] bool is_due(Monotonic now) const {
        const auto [first, other] = free_at(now);
        return other > first;
    }

    /// The range was shifted.
    void flipped(Monotonic now) {
        stayed(now);
        is_even_first_ = !is_even_first_;
    }

    /// It was not: what is free is followed from now on.
    void stayed(Monotonic now) {
        const auto [first, other] = free_at(now);
        even_ = is_even_first_ ? first : other;
        odd_ = is_even_first_ ? other : first;
        at_ = now;
    }

    /// When it was last counted, flipped or asked.
    [[nodiscard]] Monotonic at() const { return at_; }

    /// When half of the parity that is searched first is in use; none: not before the next pass.
    [[nodiscard]] std::optional<Monotonic> next() const {
        const double first = is_even_first_ ? even_ : odd_;
        if (opens_per_s_ <= 0)
            return std::nullopt;
        const std::chrono::duration<double> time(first / 2 / opens_per_s_);
        if (time >= longest)
            return std::nullopt;
        return at_ + std::max<std::chrono::nanoseconds>(
                         std::chrono::duration_cast<std::chrono::nanoseconds>(time), shortest);
    }

private:
    struct Free {
        double first;
        double other;
    };
    /// What is opened takes from the first parity, and what ends gives to both.
    [[nodiscard]] Free free_at(Monotonic now) const {
        const double s = std::chrono::duration<double>(now - at_).count();
        const double first = is_even_first_ ? even_ : odd_;
        const double other = is_even_first_ ? odd_ : even_;
        const double ended = s * ends_per_s_ / 2;
        return {std::max(0.0, first + ended - s * opens_per_s_), other + ended};
    }

    double even_ = 0;
    double odd_ = 0;
    bool is_even_first_ = true;
    double opens_per_s_ = 0;
    double ends_per_s_ = 0;
    Monotonic at_;
};

} // namespace ballast::guards
