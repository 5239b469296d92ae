// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/breakers.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace ballast::api {
namespace {

/// Lower is worse_breaker.
int rank_of(const BreakerRow& row) {
    if (row.forced == BreakerForce::closed)
        return 8;
    if (row.forced == BreakerForce::none && row.state == BreakerState::closed)
        return 9;
    const int state = row.forced == BreakerForce::open ? 0 : static_cast<int>(row.state);
    return row.mode == Mode::enforce ? state : 4 + state;
}

std::uint64_t failures_of(const BreakerRow& row) {
    return std::accumulate(row.failures.begin(), row.failures.end(), std::uint64_t{0});
}

bool worse_breaker(const BreakerRow& a, const BreakerRow& b) {
    const int rank_a = rank_of(a);
    const int rank_b = rank_of(b);
    const std::uint64_t failures_a = failures_of(a);
    const std::uint64_t failures_b = failures_of(b);
    return std::tie(rank_a, failures_b, a.endpoint, a.service) <
           std::tie(rank_b, failures_a, b.endpoint, b.service);
}

} // namespace

void sort_breakers(std::vector<BreakerRow>& rows) {
    std::sort(rows.begin(), rows.end(), worse_breaker);
}

BreakerCounts count_breakers(const std::vector<BreakerRow>& rows) {
    BreakerCounts counts;
    for (const BreakerRow& row : rows) {
        ++counts.states.at(static_cast<std::size_t>(row.state));
        counts.forced_open += row.forced == BreakerForce::open;
        counts.forced_closed += row.forced == BreakerForce::closed;
        counts.refusing += row.is_refusing();
    }
    return counts;
}

} // namespace ballast::api
