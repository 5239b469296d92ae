// SPDX-License-Identifier: Apache-2.0
// Chance that is the same on every machine: the standard library's distributions are not.
#pragma once

#include <cmath>
#include <cstdint>

namespace ballast::sim {

/// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t number() {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
        return mixed ^ (mixed >> 31);
    }

    /// In [0, 1).
    double unit() { return static_cast<double>(number() >> 11) * 0x1p-53; }

    bool chance(double probability) { return probability > 0 && unit() < probability; }

    /// Exponentially distributed, in whole numbers of at least 1.
    std::int64_t exponential(std::int64_t mean) {
        const double drawn = -std::log(1.0 - unit()) * static_cast<double>(mean);
        return 1 + static_cast<std::int64_t>(drawn);
    }

private:
    std::uint64_t state_;
};

} // namespace ballast::sim
