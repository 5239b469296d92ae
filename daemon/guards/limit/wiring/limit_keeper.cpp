// SPDX-License-Identifier: Apache-2.0
#include "daemon/guards/limit/wiring/limit_keeper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/findings/findings.h"
#include "daemon/kernel/instance.h"
#include "daemon/policy/policy_publisher.h"
#include "daemon/util/clock.h"

namespace ballast::guards {

namespace {

/// Breakers report their own refusals.
LimitReading reading_of(const Destination& destination) {
    LimitReading reading{.index = destination.index, .refused = {}, .over_limit = {}};
    std::copy_n(destination.refused.begin(), kLimitReasons, reading.refused.begin());
    std::copy_n(destination.over_limit.begin(), kLimitReasons, reading.over_limit.begin());
    return reading;
}

} // namespace

DestinationRow limit_row(const Destination& destination, std::string service,
                         const PolicyInForce& in_force) {
    DestinationRow row;
    row.endpoint = destination.endpoint;
    row.service = std::move(service);
    row.in_use = destination.in_use;
    row.admitted = destination.admitted;
    row.adopted = destination.adopted;
    row.refused = total(destination.refused);
    row.over_limit = total(destination.over_limit);
    row.mode = Mode::off;
    if (const Service* governing = in_force.service(destination.service)) {
        row.mode = in_force.mode(GuardKind::limit, governing);
        row.max_connections = governing->max_connections;
    }
    return row;
}

Result<std::unique_ptr<Guard>> LimitKeeper::make(const Surroundings& around) {
    return std::unique_ptr<Guard>(new LimitKeeper(around));
}

void LimitKeeper::report(DaemonStatus& status) const {
    status.findings.left_out += guard_.coalesced();
}

void LimitKeeper::wake() {
    std::vector<LimitReading> readings;
    for (const auto& destination : instance_.destinations().with_refusals())
        if (const auto reading = reading_of(destination);
            sum(reading.refused) != 0 || sum(reading.over_limit) != 0)
            readings.push_back(reading);
    const auto in_force = policy_.now();
    const auto describe = [&](std::uint32_t index) {
        const auto destination = instance_.destinations().at(index);
        return limit_row(destination, instance_.services().service_name(destination.service),
                         *in_force);
    };
    for (auto& finding : guard_.read(readings, now(), describe))
        findings_.add(std::move(finding));
}

} // namespace ballast::guards
