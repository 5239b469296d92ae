// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/run.h"

#include <numeric>

namespace ballast::sim {

namespace {

constexpr std::uint64_t kSeed = 1;

guards::Keepalive keepalive(Ms idle) {
    return {.idle_ms = idle, .interval_ms = 10 * kSecond, .count = 9};
}

Score score(const Outcome& outcome) {
    const auto days = static_cast<double>(outcome.lost.size());
    const double in_all = std::accumulate(outcome.lost.begin(), outcome.lost.end(), 0.0);
    const auto first = static_cast<double>(outcome.lost.front());
    return {.lost_first_day = first,
            .lost_a_day = (in_all - first) / (days - 1),
            .lost = in_all,
            .probes = static_cast<double>(outcome.probes) / (Fleet::flows * 24.0 * days)};
}

} // namespace

const std::vector<Policy>& policies() {
    static const std::vector<Policy> all{
        {.name = "auto", .fixed = std::nullopt, .automatic = true},
        {.name = "auto, 1 h at most",
         .fixed = std::nullopt,
         .automatic = true,
         .longest = std::chrono::hours(1)},
        {.name = "60 s", .fixed = keepalive(kMinute)},
        {.name = "300 s", .fixed = keepalive(5 * kMinute)},
        {.name = "7,200 s",
         .fixed = guards::Keepalive{.idle_ms = 2 * kHour, .interval_ms = 75 * kSecond, .count = 9}},
        {.name = "none", .fixed = std::nullopt},
    };
    return all;
}

std::vector<std::string> Row::better_in_both(std::size_t index) const {
    const Score& score = scores.at(index);
    std::vector<std::string> names;
    for (std::size_t other = 0; other < scores.size(); ++other)
        if (!policies()[other].automatic && scores[other].lost < score.lost &&
            scores[other].probes < score.probes)
            names.push_back(policies()[other].name);
    return names;
}

Row run(const Path& path, std::uint64_t seed, int days) {
    Row row{.path = path.name, .scores = {}};
    for (const Policy& policy : policies())
        row.scores.push_back(score(Fleet(path, policy, seed).run(days)));
    return row;
}

std::vector<Row> run_all() {
    std::vector<Row> rows;
    for (const Path& path : paths())
        rows.push_back(run(path, kSeed, kDays));
    return rows;
}

} // namespace ballast::sim
