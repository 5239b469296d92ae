// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/answers.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "daemon/model/prefix_rules.h"

namespace ballast {
namespace {

/// The holder of some ports of one address.
struct Holder {
    std::size_t service; ///< index of Policy::services
    Target target;
    const NamedTarget* name; ///< none: the target is literal
};

bool overlap(const Target& a, const Target& b) {
    return a.any_port() == b.any_port() && a.port_first <= b.port_last &&
           b.port_first <= a.port_last;
}

/// True where both may be asked about one consumer, neither before the other.
bool share_consumers(const Service& a, const Service& b) {
    if (a.from.empty() || b.from.empty())
        return a.from.empty() && b.from.empty();
    return std::ranges::any_of(a.from, [&](const std::string& pattern) {
        return std::ranges::find(b.from, pattern) != b.from.end();
    });
}

std::string notice(const Service& service, const NamedTarget& name, const std::string& message) {
    return fmt::format("{}: key service.to: \"{}\" of \"{}\" {}", name.origin, name.text(),
                       service.name, message);
}

/// Adds answers one by one and keeps account of what is taken.
class Merge {
public:
    explicit Merge(Policy& policy) : policy_(policy) {
        for (std::size_t i = 0; i < policy.services.size(); ++i) {
            const Service& service = policy.services[i];
            targets_ += service.to.size() + service.to_names.size();
            for (const Target& target : service.to)
                if (target.prefix.length == 128)
                    holders_[target.prefix.address].push_back({i, target, nullptr});
        }
    }

    /// Adds what fits of one element's addresses; says what does not.
    void add(std::size_t service, const NamedTarget& name, const Answer& answer,
             std::vector<std::string>& notices) {
        const Service& row = policy_.services[service];
        if (answer.left_out > 0)
            notices.push_back(notice(row, name,
                                     fmt::format("has {} addresses; the lowest {} are governed",
                                                 answer.addresses.size() + answer.left_out,
                                                 answer.addresses.size())));
        std::map<std::string, std::vector<Address>> refused;
        for (const Address& address : answer.addresses)
            if (auto why = add(service, name, address))
                refused[*why].push_back(address);
        for (const auto& [why, addresses] : refused)
            notices.push_back(notice(row, name, not_governed(addresses, why)));
    }

private:
    static std::string not_governed(const std::vector<Address>& addresses, const std::string& why) {
        const std::string more =
            addresses.size() > 1 ? fmt::format(" and {} more", addresses.size() - 1) : "";
        return fmt::format("does not govern {}{}: {}", addresses.front().text(), more, why);
    }

    /// Nothing where the address is governed now, otherwise the reason why not.
    std::optional<std::string> add(std::size_t service, const NamedTarget& name,
                                   const Address& address) {
        const Target target{{address, 128}, name.port_first, name.port_last};
        std::vector<Holder>& holders = holders_[address];
        Service& row = policy_.services[service];
        if (std::ranges::find(row.to, target) != row.to.end())
            return std::nullopt;
        for (const Holder& holder : holders)
            if (holder.service != service && overlap(holder.target, target) &&
                share_consumers(row, policy_.services[holder.service]))
                return held_by(holder);
        if (targets_ == kMaxTargets)
            return fmt::format("there are {} targets already, as many as are possible", targets_);
        if (too_many_ranges(holders, target))
            return fmt::format("it has {} port ranges already, as many as are possible",
                               kMaxPortRanges);
        ++targets_;
        holders.push_back({service, target, &name});
        row.to.push_back(target);
        row.resolved.push_back({target, name.host});
        return std::nullopt;
    }

    [[nodiscard]] std::string held_by(const Holder& holder) const {
        const Service& other = policy_.services[holder.service];
        const std::string text = holder.name ? holder.name->text() : holder.target.text();
        return fmt::format(
            "\"{}\" has it, by \"{}\" ({}); one port of one address belongs to one service",
            other.name, text, holder.name ? holder.name->origin : other.origin);
    }

    static bool too_many_ranges(const std::vector<Holder>& holders, const Target& target) {
        std::set<std::pair<std::uint16_t, std::uint16_t>> ranges;
        for (const Holder& holder : holders)
            if (!holder.target.any_port())
                ranges.emplace(holder.target.port_first, holder.target.port_last);
        return !target.any_port() && ranges.size() >= kMaxPortRanges &&
               !ranges.contains({target.port_first, target.port_last});
    }

    Policy& policy_;
    std::size_t targets_ = 0; ///< as overrides count them: names are targets too
    std::map<Address, std::vector<Holder>> holders_;
};

/// Takes back the answers for which `unwanted` holds; names each service that lost some.
template <typename Unwanted>
void take_back(Policy& policy, const std::string& why, std::vector<std::string>& notices,
               const Unwanted& unwanted) {
    for (Service& service : policy.services) {
        const auto is_unwanted = [&](const ResolvedTarget& row) { return unwanted(row.target); };
        const auto first = std::ranges::find_if(service.resolved, is_unwanted);
        if (first == service.resolved.end())
            continue;
        const auto name = std::ranges::find(service.to_names, first->host, &NamedTarget::host);
        notices.push_back(notice(service, *name,
                                 fmt::format("does not govern {}: {}", first->target.text(), why)));
        std::erase_if(service.to, [&](const Target& target) {
            return unwanted(target) &&
                   std::ranges::find(service.resolved, target, &ResolvedTarget::target) !=
                       service.resolved.end();
        });
        std::erase_if(service.resolved, is_unwanted);
    }
}

/// Takes back what the kernel's tables have no room for. Files alone always fit.
void make_fit(Policy& policy, std::vector<std::string>& notices) {
    const PrefixRules rules = prefix_rules(policy);
    std::set<Prefix> crowded;
    for (const PrefixRule& rule : rules.rules)
        if (rule.spans.size() > kMaxPortSpans)
            crowded.insert(rule.prefix);
    if (!crowded.empty())
        take_back(policy,
                  fmt::format("its ports, with those of the prefixes around it, fall into more "
                              "than {} parts",
                              kMaxPortSpans),
                  notices, [&](const Target& target) { return crowded.contains(target.prefix); });
    if (rules.crowded || (!crowded.empty() && prefix_rules(policy).crowded))
        take_back(policy,
                  fmt::format("with what all names have, the services that from chooses among fill "
                              "more than {} rows; no name is governed",
                              kMaxAlternatives),
                  notices, [](const Target&) { return true; });
}

} // namespace

ResolvedPolicy apply_answers(Policy policy, const Answers& answers) {
    ResolvedPolicy out{std::move(policy), {}};
    Merge merge(out.policy);
    for (std::size_t i = 0; i < out.policy.services.size(); ++i)
        for (const NamedTarget& name : out.policy.services[i].to_names)
            if (const auto found = answers.find(name.host); found != answers.end())
                merge.add(i, name, found->second, out.notices);
    if (std::ranges::any_of(out.policy.services,
                            [](const Service& service) { return !service.resolved.empty(); }))
        make_fit(out.policy, out.notices);
    return out;
}

} // namespace ballast
