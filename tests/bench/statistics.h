// SPDX-License-Identifier: Apache-2.0
// Order statistics of measured durations.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace ballast::bench {

/// Durations in nanoseconds, each at most 4.2 s (a longer one counts as that).
class Durations {
public:
    void add(std::chrono::nanoseconds duration);
    void add(const Durations& other);

    /// In microseconds, the value below which `part` (0..1) of them lie; 0 when there are none.
    [[nodiscard]] double quantile_us(double part) const;

private:
    std::vector<std::uint32_t> ns_;
};

} // namespace ballast::bench
