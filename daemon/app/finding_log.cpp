// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/finding_log.h"

#include "daemon/app/clock.h"
#include "daemon/app/log.h"

namespace ballast::app {

findings::Recent::Now both_clocks() {
    return {now(), std::chrono::system_clock::now()};
}

void log_finding(findings::Severity severity, std::string_view line) {
    const bool is_critical = severity == findings::Severity::critical;
    log::write(is_critical ? log::Level::error : log::Level::warning, line);
}

} // namespace ballast::app
