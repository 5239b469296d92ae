// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/conflicts.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "daemon/model/prefix_rules.h"

namespace ballast {
namespace {

struct Claim {
    const ServiceEntry* service;
    const PlacedTarget* placed;
    std::size_t order; ///< of appearance

    [[nodiscard]] const Target& target() const { return placed->target; }
};

using Claims = std::vector<Claim>;

Claims all_claims(const std::vector<ServiceEntry>& services) {
    Claims out;
    for (const ServiceEntry& service : services)
        for (const PlacedTarget& placed : service.to)
            out.push_back({&service, &placed, out.size()});
    return out;
}

/// Groups by prefix, and any-port apart from ranges: only within a group can targets collide.
auto group_of(const Claim& claim) {
    return std::tuple(claim.target().prefix, claim.target().any_port());
}

bool collides_before(const Claim& a, const Claim& b) {
    const auto rank = [](const Claim& c) { return std::tuple(group_of(c), c.target().port_first); };
    return rank(a) < rank(b);
}

/// A second definition of a name is reported as such; its targets then are not news.
bool same_service(const Claim& a, const Claim& b) {
    return a.service == b.service ||
           (!a.service->name.empty() && a.service->name == b.service->name);
}

std::string shown_name(const ServiceEntry& service) {
    return service.name.empty() ? "a service without name" : fmt::format("\"{}\"", service.name);
}

void report_collision(const Claim& earlier, const Claim& later, ProblemList& errors,
                      ProblemList& warnings) {
    if (same_service(earlier, later))
        warnings.add(later.placed->place, "service.to",
                     fmt::format("\"{}\" repeats \"{}\" of the same service ({})",
                                 later.target().text(), earlier.target().text(),
                                 earlier.placed->place.text()));
    else
        errors.add(later.placed->place, "service.to",
                   fmt::format("\"{}\" of {} is claimed by {} too, as \"{}\" ({}); one port of one "
                               "prefix belongs to one service",
                               later.target().text(), shown_name(*later.service),
                               shown_name(*earlier.service), earlier.target().text(),
                               earlier.placed->place.text()));
}

/// Compares each target with the one before it that reaches furthest: if any two of a group
/// overlap, two such neighbours do.
void find_collisions(Claims claims, ProblemList& errors, ProblemList& warnings) {
    std::stable_sort(claims.begin(), claims.end(), collides_before);
    const Claim* furthest = nullptr;
    for (const Claim& claim : claims) {
        const bool same_group = furthest != nullptr && group_of(*furthest) == group_of(claim);
        if (same_group && claim.target().port_first <= furthest->target().port_last) {
            const bool in_order = furthest->order < claim.order;
            report_collision(in_order ? *furthest : claim, in_order ? claim : *furthest, errors,
                             warnings);
        }
        if (!same_group || claim.target().port_last > furthest->target().port_last)
            furthest = &claim;
    }
}

void find_doubled_names(const std::vector<ServiceEntry>& services, ProblemList& errors) {
    std::map<std::string_view, const ServiceEntry*> first;
    for (const ServiceEntry& service : services) {
        if (service.name.empty())
            continue;
        const auto [at, added] = first.emplace(service.name, &service);
        if (!added)
            errors.add(service.name_place, "service.name",
                       fmt::format("\"{}\" is already defined at {}; a service has one definition",
                                   service.name, at->second->name_place.text()));
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
            claims[kMaxTargets].placed->place, "service.to",
            fmt::format("{} targets in all; at most {} are possible", claims.size(), kMaxTargets));
}

/// `claims` in order of appearance: the range that is one too many is the one reported.
void find_many_ranges(const Claims& claims, ProblemList& errors) {
    using Range = std::pair<std::uint16_t, std::uint16_t>;
    std::map<Prefix, std::vector<Range>> ranges;
    for (const Claim& claim : claims) {
        const Target& target = claim.target();
        auto& known = ranges[target.prefix];
        const Range range{target.port_first, target.port_last};
        if (target.any_port() || known.size() > kMaxPortRanges ||
            std::find(known.begin(), known.end(), range) != known.end())
            continue;
        known.push_back(range);
        if (known.size() > kMaxPortRanges)
            errors.add(claim.placed->place, "service.to",
                       fmt::format("\"{}\" is one port range too many for {}; at most {} are "
                                   "possible",
                                   target.text(), target.prefix.text(), kMaxPortRanges));
    }
}

} // namespace

void find_conflicts(const std::vector<ServiceEntry>& services, ProblemList& errors,
                    ProblemList& warnings) {
    const Claims claims = all_claims(services);
    find_doubled_names(services, errors);
    find_excess(services, claims, errors);
    find_many_ranges(claims, errors);
    find_collisions(claims, errors, warnings);
}

void find_crowded_prefixes(const Policy& policy, const std::vector<ServiceEntry>& services,
                           ProblemList& errors) {
    std::map<Prefix, Place> first;
    for (const Claim& claim : all_claims(services))
        first.emplace(claim.target().prefix, claim.placed->place);
    for (const PrefixRule& rule : prefix_rules(policy)) {
        if (rule.spans.size() <= kMaxPortSpans)
            continue;
        errors.add(first[rule.prefix], "service.to",
                   fmt::format("the ports of {}, with those of the shorter prefixes around it, "
                               "fall into {} parts; at most {} are possible",
                               rule.prefix.text(), rule.spans.size(), kMaxPortSpans));
    }
}

} // namespace ballast
