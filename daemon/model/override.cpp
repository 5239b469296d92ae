// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/override.h"

#include <algorithm>
#include <utility>

namespace ballast {

bool Override::changes_nothing() const {
    return !max_connections && !max_connections_total && !max_per_consumer && !max_connect_rate &&
           !burst && !mode && !on_limit;
}

bool has_expired(const Override& row, std::chrono::system_clock::time_point now) {
    return row.expires_at && now >= *row.expires_at;
}

OverridesByAge sort_out_expired(std::vector<Override> rows,
                                std::chrono::system_clock::time_point now) {
    OverridesByAge sorted;
    for (Override& row : rows) {
        if (row.expires_at && !has_expired(row, now))
            sorted.next = std::min(sorted.next.value_or(*row.expires_at), *row.expires_at);
        (has_expired(row, now) ? sorted.expired : sorted.live).push_back(std::move(row));
    }
    return sorted;
}

} // namespace ballast
