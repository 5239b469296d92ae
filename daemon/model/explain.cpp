// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/explain.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/model/from_pattern.h"

namespace ballast {
namespace {

using Consumer = std::optional<std::string_view>;

bool covers(const Target& target, const Endpoint& endpoint) {
    return target.prefix.contains(endpoint.address) && target.port_first <= endpoint.port &&
           endpoint.port <= target.port_last;
}

/// Longer elements first, then by their text.
bool goes_before(const std::string& a, const std::string& b) {
    return std::tuple(b.size(), std::string_view(a)) < std::tuple(a.size(), std::string_view(b));
}

/// The `from` element that ranks a service, and whether it applies to the consumer.
struct Stand {
    std::string from;
    bool applies;
};

Stand stand_of(const Service& service, const Consumer& consumer) {
    std::vector<std::string> patterns = service.from;
    if (patterns.empty())
        return {{}, true};
    std::ranges::sort(patterns, goes_before);
    const auto holds = [&](const std::string& p) { return from_matches(p, *consumer); };
    const auto found = consumer ? std::ranges::find_if(patterns, holds) : patterns.begin();
    if (found == patterns.end())
        return {patterns.front(), false};
    return {*found, true};
}

std::string name_behind(const Service& service, const Target& target) {
    const auto found = std::ranges::find(service.resolved, target, &ResolvedTarget::target);
    return found == service.resolved.end() ? std::string() : found->host;
}

/// The covering targets in matching order, with nothing yet decided but whether `from` holds.
std::vector<ExplainedTarget> covering(const Policy& policy, const Endpoint& endpoint,
                                      const Consumer& consumer) {
    std::vector<ExplainedTarget> out;
    for (std::size_t i = 0; i < policy.services.size(); ++i)
        for (const Target& target : policy.services[i].to)
            if (covers(target, endpoint)) {
                Stand stand = stand_of(policy.services[i], consumer);
                const auto applies =
                    stand.applies ? Applies::shadowed : Applies::from_does_not_match;
                out.push_back({i,
                               target,
                               std::move(stand.from),
                               applies,
                               {},
                               name_behind(policy.services[i], target)});
            }
    const auto rank = [&](const ExplainedTarget& row) {
        return std::tuple(-row.target.prefix.length, row.target.any_port(),
                          -static_cast<int>(row.from.size()),
                          std::string_view(policy.services[row.service].name),
                          row.target.port_first, row.target.port_last);
    };
    std::ranges::sort(out, [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    return out;
}

/// Why `winner` goes before `row`, both of which apply.
std::string precedence(const ExplainedTarget& winner, const ExplainedTarget& row) {
    if (winner.target.prefix.length != row.target.prefix.length)
        return "the longer prefix goes first";
    if (winner.target.any_port() != row.target.any_port())
        return "a port range goes before any port";
    if (winner.service == row.service)
        return "the service says it twice";
    if (row.from.empty())
        return "with from goes before without";
    if (winner.from.size() != row.from.size())
        return "the longer element of from goes first";
    return "of elements of from as long, the one of the service whose name sorts first";
}

std::string governing_reason(const Service& service, const std::string& from,
                             const Consumer& consumer) {
    std::string reason = "governs";
    if (!from.empty())
        reason += fmt::format(": from \"{}\" matches", from);
    else if (!consumer)
        reason += " every consumer that no from before it matches";
    return service.mode == Mode::off ? reason + "; mode off leaves it alone" : reason;
}

/// The reason, once it is known which row governs, if one does.
std::string reason_of(const Policy& policy, const ExplainedTarget& row,
                      const ExplainedTarget* winner, const Consumer& consumer) {
    const Service& service = policy.services[row.service];
    switch (row.applies) {
    case Applies::governs:
        return governing_reason(service, row.from, consumer);
    case Applies::to_its_consumers:
        return fmt::format("governs consumers that match \"{}\" and no from before",
                           fmt::join(service.from, "\", \""));
    case Applies::from_does_not_match:
        return fmt::format("from does not match: \"{}\"", fmt::join(service.from, "\", \""));
    case Applies::shadowed:
        break;
    }
    return fmt::format("shadowed by {} ({}): {}", policy.services[winner->service].name,
                       winner->target.text(), precedence(*winner, row));
}

/// Decides row by row; what applies to some consumers only shadows nothing.
void decide(Explanation& out, const Policy& policy, const Consumer& consumer) {
    const ExplainedTarget* winner = nullptr;
    for (ExplainedTarget& row : out.targets) {
        if (row.applies == Applies::shadowed && winner == nullptr) {
            const bool some_only = !consumer && !row.from.empty();
            row.applies = some_only ? Applies::to_its_consumers : Applies::governs;
            if (!some_only) {
                winner = &row;
                out.governing = static_cast<std::size_t>(&row - out.targets.data());
            }
        }
        row.reason = reason_of(policy, row, winner, consumer);
    }
}

} // namespace

Explanation explain(const Policy& policy, const Endpoint& endpoint,
                    std::optional<std::string_view> cgroup_path) {
    Explanation out{covering(policy, endpoint, cgroup_path), {}};
    decide(out, policy, cgroup_path);
    return out;
}

} // namespace ballast
