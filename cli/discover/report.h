// SPDX-License-Identifier: Apache-2.0
// The outcome of a measurement: as a document, and as a failure where it has no result.
#pragma once

#include <optional>
#include <string>

#include "cli/client.h"
#include "cli/discover/session.h"

namespace ballast::cli {

/// The subject of a measurement, and its parameters.
struct Measurement {
    Endpoint destination;
    std::string name; ///< that was looked up; empty: an address was given
    discovery::DiscoveryOptions options;
};

/// The document that discover_view() shows.
Json discover_document(const Measurement& measurement, const Session::Report& report);

/// Why there is no result, for outcomes other than cannot_open; nothing where there is one.
std::optional<Failure> failure_of(const Measurement& measurement, const Session::Report& report);

} // namespace ballast::cli
