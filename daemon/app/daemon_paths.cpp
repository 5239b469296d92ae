// SPDX-License-Identifier: Apache-2.0
// What the API asks of paths.
#include "daemon/app/daemon.h"

namespace ballast::app {

PathReport Daemon::learn_path(const PathReport& report) {
    return paths_->learn(report);
}

} // namespace ballast::app
