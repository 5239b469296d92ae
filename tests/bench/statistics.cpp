// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/statistics.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace ballast::bench {

void Durations::add(std::chrono::nanoseconds duration) {
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    ns_.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(duration.count(), 0, most)));
}

void Durations::add(const Durations& other) {
    ns_.insert(ns_.end(), other.ns_.begin(), other.ns_.end());
}

double Durations::quantile_us(double part) const {
    if (ns_.empty())
        return 0;
    auto sorted = ns_;
    const auto index = static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1));
    const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(index);
    std::nth_element(sorted.begin(), nth, sorted.end());
    return *nth / 1e3;
}

} // namespace ballast::bench
