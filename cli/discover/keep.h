// SPDX-License-Identifier: Apache-2.0
// Hands a measurement to ballastd, whose keepalive goes by it.
#pragma once

#include <string>

#include "cli/client.h"
#include "cli/discover/report.h"

namespace ballast::cli {

/// The part of the measurement that the daemon should learn, or null. Only silent drops count.
Json path_body(const discovery::Findings& findings);

/// Stores it; what a person should know of how that went.
std::string keep(const Client& client, const Measurement& measurement,
                 const discovery::Findings& findings);

} // namespace ballast::cli
