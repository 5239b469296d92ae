// SPDX-License-Identifier: Apache-2.0
// A query for findings, and its answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/model/finding.h"

namespace ballast {

/// Where neither is set everything passes; `port` is in host byte order.
struct FindingQuery {
    std::optional<std::uint64_t> after = {}; ///< id: only what has a greater one
    std::optional<std::chrono::system_clock::time_point> since = {}; ///< or happened again since
    std::optional<Prefix> destination = {};
    std::optional<std::uint16_t> port = {};
    std::optional<findings::Reason> reason = {};
    std::size_t limit = 100;

    [[nodiscard]] bool matches(const KeptFinding& finding) const {
        const bool is_there =
            !destination || (finding.what.destination.port != 0 &&
                             destination->contains(finding.what.destination.address));
        return is_there && (!port || *port == finding.what.destination.port) &&
               (!after || finding.id > *after) && (!since || finding.last >= *since) &&
               (!reason || *reason == finding.what.reason);
    }
};

/// The newest that match, or where `after` was asked for the first ones, so that who goes on from
/// the last of them misses none; by id.
struct FindingPage {
    std::vector<KeptFinding> rows;
    std::size_t total = 0;     ///< that match
    std::uint64_t last_id = 0; ///< greatest that is used up; what comes has a greater one
    bool is_whole = true;      ///< false: what is older could not be read
};

} // namespace ballast
