// SPDX-License-Identifier: Apache-2.0
// What the API asks of paths.
#include "daemon/app/daemon.h"

namespace ballast::app {

PathReport Daemon::learn_path(const PathReport& report) {
    const auto in_force = in_force_.now();
    const Service* governing = in_force->governing(report.path);
    return paths_->learn(report, governing ? governing->name : std::string());
}

} // namespace ballast::app
