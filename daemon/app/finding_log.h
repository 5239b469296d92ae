// SPDX-License-Identifier: Apache-2.0
// What findings need from the daemon: its clocks and its log.
#pragma once

#include <string_view>

#include "daemon/findings/recent.h"

namespace ballast::app {

findings::Recent::Now both_clocks();

/// Critical findings are logged as errors, all others as warnings.
void log_finding(findings::Severity severity, std::string_view line);

} // namespace ballast::app
