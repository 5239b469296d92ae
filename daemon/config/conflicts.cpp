// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/conflicts.h"

#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "daemon/config/collisions.h"
#include "daemon/model/prefix_rules.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

/// The element that makes `seen` one larger than `max`, if `value` is it.
template <typename T>
bool exceeds(std::set<T>& seen, const T& value, std::size_t max) {
    return seen.size() <= max && seen.insert(value).second && seen.size() > max;
}

void find_doubled_names(const std::vector<ServiceEntry>& services, ProblemList& errors) {
    std::map<std::string_view, const ServiceEntry*> first;
    for (const ServiceEntry& service : services) {
        if (service.row.name.empty())
            continue;
        const auto [at, added] = first.emplace(service.row.name, &service);
        if (!added)
            errors.add(service.name_place, "service.name",
                       fmt::format("\"{}\" is already defined at {}; a service has one definition",
                                   service.row.name, at->second->name_place.text()));
    }
}

void find_excess(const std::vector<ServiceEntry>& services, const Claims& claims,
                 ProblemList& errors) {
    if (services.size() > kMaxServices)
        errors.add(services[kMaxServices].place, "service",
                   fmt::format("{} services in all; at most {} are possible", services.size(),
                               kMaxServices));
    if (claims.size() > kMaxTargets)
        errors.add(
            *claims[kMaxTargets].place, "service.to",
            fmt::format("{} targets in all; at most {} are possible", claims.size(), kMaxTargets));
}

void find_many_names(const std::vector<ServiceEntry>& services, ProblemList& errors) {
    std::set<std::string_view> hosts;
    for (const ServiceEntry& service : services)
        for (const auto& [name, place] : service.to_names)
            if (exceeds(hosts, std::string_view(name.host), kMaxNames))
                errors.add(place, "service.to",
                           fmt::format("\"{}\" is one DNS name too many; at most {} are possible",
                                       name.host, kMaxNames));
}

void find_many_from(const std::vector<ServiceEntry>& services, ProblemList& errors) {
    std::set<std::string_view> patterns;
    for (const ServiceEntry& service : services)
        for (const auto& [pattern, place] : service.from)
            if (exceeds(patterns, std::string_view(pattern), kMaxFrom))
                errors.add(place, "service.from",
                           fmt::format("{} is one element too many; at most {} distinct ones are "
                                       "possible in all",
                                       in_quotes(pattern), kMaxFrom));
}

/// `claims` in order of appearance: the range that is one too many is the one reported.
void find_many_ranges(const Claims& claims, ProblemList& errors) {
    using Range = std::pair<std::uint16_t, std::uint16_t>;
    std::map<Prefix, std::set<Range>> ranges;
    for (const Claim& claim : claims) {
        const Target& target = claim.target;
        if (!claim.host.empty() || target.any_port())
            continue;
        if (exceeds(ranges[target.prefix], {target.port_first, target.port_last}, kMaxPortRanges))
            errors.add(*claim.place, "service.to",
                       fmt::format("\"{}\" is one port range too many for {}; at most {} are "
                                   "possible",
                                   target.text(), target.prefix.text(), kMaxPortRanges));
    }
}

void report_crowded(const PrefixRule& rule, const Place& place, ProblemList& errors) {
    if (rule.spans.size() > kMaxPortSpans)
        errors.add(place, "service.to",
                   fmt::format("the ports of {}, with those of the shorter prefixes around it, "
                               "fall into {} parts; at most {} are possible",
                               rule.prefix.text(), rule.spans.size(), kMaxPortSpans));
}

} // namespace

void find_conflicts(const std::vector<ServiceEntry>& services, ProblemList& errors,
                    ProblemList& warnings) {
    const Claims claims = all_claims(services);
    find_doubled_names(services, errors);
    find_excess(services, claims, errors);
    find_many_names(services, errors);
    find_many_from(services, errors);
    find_many_ranges(claims, errors);
    find_collisions(claims, errors, warnings);
}

void find_crowded_prefixes(const Policy& policy, const std::vector<ServiceEntry>& services,
                           ProblemList& errors) {
    std::map<Prefix, Place> first;
    for (const ServiceEntry& service : services)
        for (const auto& [target, place] : service.to)
            first.emplace(target.prefix, place);
    const PrefixRules rules = prefix_rules(policy);
    for (const PrefixRule& rule : rules.rules)
        report_crowded(rule, first[rule.prefix], errors);
    if (rules.crowded)
        errors.add(first[*rules.crowded], "service.to",
                   fmt::format("with {} the services that from chooses among fill more than {} "
                               "rows; fewer overlapping targets or shorter from are needed",
                               rules.crowded->text(), kMaxAlternatives));
}

} // namespace ballast
