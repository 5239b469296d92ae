// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/collisions.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "daemon/util/quote.h"

namespace ballast {
namespace {

/// Only within a group can targets collide: one prefix or name, any-port apart from ranges.
auto group_of(const Claim& claim) {
    return std::tuple(claim.host, claim.target.prefix, claim.target.any_port());
}

bool collides_before(const Claim& a, const Claim& b) {
    const auto rank = [](const Claim& c) { return std::tuple(group_of(c), c.target.port_first); };
    return rank(a) < rank(b);
}

/// A second definition of a name is reported as such; its targets then are not news.
bool same_service(const Claim& a, const Claim& b) {
    return a.service == b.service ||
           (!a.service->row.name.empty() && a.service->row.name == b.service->row.name);
}

std::string shown_name(const ServiceEntry& service) {
    return service.row.name.empty() ? "a service without name"
                                    : fmt::format("\"{}\"", service.row.name);
}

/// Claims of one group that hold for the same consumers, by the element of `from` that says so;
/// under "" those for everyone. In a group of one service that is all the same.
std::map<std::string_view, std::vector<const Claim*>> lanes_of(std::span<const Claim> group) {
    std::map<std::string_view, std::vector<const Claim*>> lanes;
    const auto of_first = [&](const Claim& c) { return c.service == group.front().service; };
    const bool one_service = std::ranges::all_of(group, of_first);
    for (const Claim& claim : group) {
        if (one_service || claim.service->from.empty())
            lanes[""].push_back(&claim);
        else
            for (const auto& [pattern, place] : claim.service->from)
                lanes[pattern].push_back(&claim);
    }
    return lanes;
}

/// Reports each pair once, however many lanes it meets in.
class Reporter {
public:
    Reporter(ProblemList& errors, ProblemList& warnings) : errors_(errors), warnings_(warnings) {}

    void report(const Claim& a, const Claim& b, std::string_view from) {
        const auto& [earlier, later] = a.order < b.order ? std::tie(a, b) : std::tie(b, a);
        if (!reported_.emplace(earlier.order, later.order).second)
            return;
        if (same_service(earlier, later))
            warn(earlier, later);
        else
            refuse(earlier, later, from);
    }

private:
    void warn(const Claim& earlier, const Claim& later) {
        warnings_.add(*later.place, "service.to",
                      fmt::format("\"{}\" repeats \"{}\" of the same service ({})", later.text(),
                                  earlier.text(), earlier.place->text()));
    }

    void refuse(const Claim& earlier, const Claim& later, std::string_view from) {
        const std::string consumers = from.empty() ? "" : " for the same from " + in_quotes(from);
        errors_.add(*later.place, "service.to",
                    fmt::format("\"{}\" of {} is claimed by {} too{}, as \"{}\" ({}); one port of "
                                "one prefix belongs to one service",
                                later.text(), shown_name(*later.service),
                                shown_name(*earlier.service), consumers, earlier.text(),
                                earlier.place->text()));
    }

    ProblemList& errors_;
    ProblemList& warnings_;
    std::set<std::pair<std::size_t, std::size_t>> reported_;
};

/// Compares each claim with the one before it that reaches furthest: if any two of a lane, which is
/// in order of first ports, overlap, two such neighbours do.
void compare(const std::vector<const Claim*>& lane, std::string_view from, Reporter& reporter) {
    const Claim* furthest = nullptr;
    for (const Claim* claim : lane) {
        if (furthest != nullptr && claim->target.port_first <= furthest->target.port_last)
            reporter.report(*furthest, *claim, from);
        if (furthest == nullptr || claim->target.port_last > furthest->target.port_last)
            furthest = claim;
    }
}

} // namespace

std::string Claim::text() const {
    if (host.empty())
        return target.text();
    return NamedTarget{std::string(host), target.port_first, target.port_last}.text();
}

Claims all_claims(const std::vector<ServiceEntry>& services) {
    Claims out;
    for (const ServiceEntry& service : services) {
        for (const auto& [target, place] : service.to)
            out.push_back({&service, &place, out.size(), target, {}});
        for (const auto& [name, place] : service.to_names)
            out.push_back({&service,
                           &place,
                           out.size(),
                           {Prefix{}, name.port_first, name.port_last},
                           name.host});
    }
    return out;
}

void find_collisions(Claims claims, ProblemList& errors, ProblemList& warnings) {
    std::ranges::stable_sort(claims, collides_before);
    Reporter reporter(errors, warnings);
    for (std::span<const Claim> left(claims); !left.empty();) {
        const auto other = [&](const Claim& c) { return group_of(c) != group_of(left.front()); };
        const auto count =
            static_cast<std::size_t>(std::ranges::find_if(left, other) - left.begin());
        for (const auto& [from, lane] : lanes_of(left.first(count)))
            compare(lane, from, reporter);
        left = left.subspan(count);
    }
}

} // namespace ballast
