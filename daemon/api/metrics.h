// SPDX-License-Identifier: Apache-2.0
// Metrics for Prometheus, in its text format 0.0.4.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/model/snapshot.h"

namespace ballast::api {

/// Destinations with series of their own. When there are more, those with most connections in use
/// have them and `ballast_destinations_left_out` says how many have not.
constexpr std::size_t kMaxMetricDestinations = 500;

/// As many breakers have series of their own: those that refused most, then those that opened most.
/// `ballast_breakers_left_out` says how many have not.
std::string metrics_text(const DaemonStatus& status, std::vector<DestinationRow> destinations,
                         std::vector<BreakerRow> breakers);

} // namespace ballast::api
