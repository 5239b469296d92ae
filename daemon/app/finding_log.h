// SPDX-License-Identifier: Apache-2.0
// What findings need of the daemon: its clocks and its log.
#pragma once

#include <string_view>

#include "daemon/findings/recent.h"

namespace ballast::app {

findings::Recent::Now both_clocks();

/// What is critical becomes an error, everything else a warning.
void log_finding(findings::Severity severity, std::string_view line);

} // namespace ballast::app
