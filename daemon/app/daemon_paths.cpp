// SPDX-License-Identifier: Apache-2.0
// What the API asks of paths.
#include "daemon/app/daemon.h"

namespace ballast::app {

PathReport Daemon::learn_path(const PathReport& report) {
    const Policy& policy = policy_->policy();
    const auto explained = ballast::explain(policy, report.path, std::nullopt);
    if (!explained.governing)
        return paths_->learn(report, "");
    const auto service = explained.targets.at(*explained.governing).service;
    return paths_->learn(report, policy.services.at(service).name);
}

} // namespace ballast::app
