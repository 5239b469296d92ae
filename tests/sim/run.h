// SPDX-License-Identifier: Apache-2.0
// Every policy on every path, and which of them is beaten.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/fleet.h"

namespace ballast::sim {

inline constexpr int kDays = 14;

/// `auto`, the same with a keepalive_max, three fixed ones and none, in the order of the table.
const std::vector<Policy>& policies();

/// One policy on one path.
struct Score {
    double lost_first_day = 0;
    double lost_a_day = 0; ///< on the days after
    double lost = 0;       ///< in all
    double probes = 0;     ///< for each flow and hour
};

struct Row {
    std::string path;
    std::vector<Score> scores; ///< in the order of policies()

    /// Names of the policies, but for automatic ones, that lose fewer flows than policy `index`
    /// with fewer probes.
    [[nodiscard]] std::vector<std::string> better_in_both(std::size_t index) const;
};

/// At least two days.
Row run(const Path& path, std::uint64_t seed, int days);

/// All paths, with the seed of the table.
std::vector<Row> run_all();

} // namespace ballast::sim
