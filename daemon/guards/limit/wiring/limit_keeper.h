// SPDX-License-Identifier: Apache-2.0
// The daemon's side of limits: reads the programs' counts of refusals once a second, and reports
// where they begin and end.
#pragma once

#include <memory>

#include "daemon/guards/guard.h"
#include "daemon/guards/limit/limit_guard.h"
#include "daemon/model/destination.h"
#include "daemon/util/error.h"

namespace ballast::guards {

class LimitKeeper final : public Guard {
public:
    static Result<std::unique_ptr<Guard>> make(const Surroundings& around);

    void wake() override;
    void report(DaemonStatus& status) const override;

private:
    explicit LimitKeeper(const Surroundings& around)
        : instance_(around.instance), policy_(around.policy), findings_(around.findings) {}

    kernel::Instance& instance_;
    policy::PolicyPublisher& policy_;
    findings::Findings& findings_;
    LimitGuard guard_;
};

/// What the limit's guard knows of a destination, by the policy in force; `service` is the name of
/// its service.
DestinationRow limit_row(const Destination& destination, std::string service,
                         const PolicyInForce& in_force);

} // namespace ballast::guards
