// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/finding_log.h"

#include "daemon/util/clock.h"
#include "daemon/util/log.h"

namespace ballast::app {

findings::Recent::Now FindingLog::now() const {
    return {ballast::now(), std::chrono::system_clock::now()};
}

void FindingLog::write(findings::Severity severity, std::string_view line) {
    const bool is_critical = severity == findings::Severity::critical;
    log::write(is_critical ? log::Level::error : log::Level::warning, line);
}

} // namespace ballast::app
