// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/policy_parser.h"

#include <string>
#include <utility>

#include "daemon/config/conflicts.h"
#include "daemon/guards/listeners/listener_entry.h"

namespace ballast {
namespace {

Service service_of(const ServiceEntry& entry, const Policy& options) {
    Service service = entry.row;
    service.mode = entry.mode.value_or(options.mode(GuardKind::limit));
    // "off" leaves alone what the service governs, unless another guard is asked for by itself
    const auto mode_of = [&](std::optional<Mode> named, GuardKind guard) {
        return named.value_or(service.mode == Mode::off ? Mode::off : options.mode(guard));
    };
    service.breaker.mode = mode_of(entry.breaker_mode, GuardKind::breaker);
    service.half_open.mode = mode_of(entry.half_open_mode, GuardKind::half_open);
    service.keepalive.mode = mode_of(entry.keepalive_mode, GuardKind::keepalive);
    service.ports.mode = mode_of(entry.ports_mode, GuardKind::ports);
    service.ports.relief = entry.relief.value_or(options.ports.relief);
    service.ports.source_pool = entry.source_pool.value_or(options.ports.source_pool);
    service.origin = entry.place.text();
    for (const auto& placed : entry.to)
        service.to.push_back(placed.value);
    for (const auto& placed : entry.to_names) {
        service.to_names.push_back(placed.value);
        service.to_names.back().origin = placed.place.text();
    }
    for (const auto& placed : entry.from)
        service.from.push_back(placed.value);
    return service;
}

/// The elements of one array of all services.
template <typename T>
std::vector<Placed<T>> all_of(const std::vector<ServiceEntry>& services,
                              std::vector<Placed<T>> ServiceEntry::*array) {
    std::vector<Placed<T>> out;
    for (const ServiceEntry& entry : services)
        out.insert(out.end(), (entry.*array).begin(), (entry.*array).end());
    return out;
}

Policy policy_of(const PolicyDocument& document) {
    Policy policy = document.options;
    for (const ServiceEntry& entry : document.services)
        policy.services.push_back(service_of(entry, document.options));
    return policy;
}

} // namespace

Result<Policy> PolicyReport::result() const {
    if (policy)
        return *policy;
    return fail(Error(errors.text()));
}

PolicyReport parse_policy(const std::vector<PolicySource>& sources, ProblemList errors) {
    PolicyReport report{{}, std::move(errors), {}, {}, {}};
    PolicyDocument all;
    std::vector<std::string> files;
    for (const PolicySource& source : sources) {
        files.push_back(source.file);
        read_document(source, all, report.errors, report.warnings);
    }
    find_conflicts(all.services, report.errors, report.warnings);
    all.options.listeners =
        listener_rules(all.listeners, all.options.listener_options, report.errors, report.warnings);
    if (report.errors.empty()) {
        report.policy = policy_of(all);
        report.from = all_of(all.services, &ServiceEntry::from);
        report.names = all_of(all.services, &ServiceEntry::to_names);
        find_crowded_prefixes(*report.policy, all.services, report.errors);
    }
    if (!report.errors.empty())
        report.policy.reset();
    report.errors.sort(files);
    report.warnings.sort(files);
    return report;
}

} // namespace ballast
