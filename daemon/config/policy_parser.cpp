// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/policy_parser.h"

#include <iterator>
#include <string>
#include <utility>

#include "daemon/config/conflicts.h"

namespace ballast {
namespace {

template <typename T>
void replace(std::optional<T>& value, std::optional<T>& later) {
    if (later)
        value = std::move(later);
}

void append(PolicyDocument& all, PolicyDocument&& later) {
    replace(all.daemon_grace, later.daemon_grace);
    replace(all.sweep_interval, later.sweep_interval);
    replace(all.destination_ttl, later.destination_ttl);
    replace(all.metrics_listen, later.metrics_listen);
    replace(all.limit_mode, later.limit_mode);
    all.services.insert(all.services.end(), std::make_move_iterator(later.services.begin()),
                        std::make_move_iterator(later.services.end()));
}

Service service_of(const ServiceEntry& entry, Mode default_mode) {
    Service service{entry.name,
                    {},
                    entry.max_connections,
                    OnLimit::refused,
                    entry.mode.value_or(default_mode),
                    entry.place.text()};
    service.on_limit = entry.on_limit.value_or(service.on_limit);
    for (const PlacedTarget& placed : entry.to)
        service.to.push_back(placed.target);
    return service;
}

Policy policy_of(const PolicyDocument& document) {
    Policy policy;
    DaemonOptions& daemon = policy.daemon;
    daemon.daemon_grace = document.daemon_grace.value_or(daemon.daemon_grace);
    daemon.sweep_interval = document.sweep_interval.value_or(daemon.sweep_interval);
    daemon.destination_ttl = document.destination_ttl.value_or(daemon.destination_ttl);
    daemon.metrics_listen = document.metrics_listen.value_or(daemon.metrics_listen);
    policy.limit_mode = document.limit_mode.value_or(policy.limit_mode);
    for (const ServiceEntry& entry : document.services)
        policy.services.push_back(service_of(entry, policy.limit_mode));
    return policy;
}

} // namespace

Result<Policy> PolicyReport::result() const {
    if (policy)
        return *policy;
    return fail(Error(errors.text()));
}

PolicyReport parse_policy(const std::vector<PolicySource>& sources, ProblemList errors) {
    PolicyReport report{{}, std::move(errors), {}};
    PolicyDocument all;
    std::vector<std::string> files;
    for (const PolicySource& source : sources) {
        files.push_back(source.file);
        append(all, read_document(source, report.errors, report.warnings));
    }
    find_conflicts(all.services, report.errors, report.warnings);
    if (report.errors.empty()) {
        report.policy = policy_of(all);
        find_crowded_prefixes(*report.policy, all.services, report.errors);
    }
    if (!report.errors.empty())
        report.policy.reset();
    report.errors.sort(files);
    report.warnings.sort(files);
    return report;
}

} // namespace ballast
