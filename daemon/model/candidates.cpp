// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/candidates.h"

#include <algorithm>
#include <tuple>

namespace ballast {
namespace {

/// Builds a list from candidates in their order.
class Stack {
public:
    explicit Stack(std::size_t patterns) : asked_(patterns, false) {}

    void add(std::uint16_t service, std::uint16_t pattern) {
        if (asked_[pattern])
            return;
        asked_[pattern] = true;
        if (list_.empty() || list_.back().service != service)
            list_.push_back({service, {}});
        list_.back().from.push_back(pattern);
    }

    void add_below(const Candidate& candidate) {
        if (candidate.from.empty())
            list_.push_back(candidate);
        for (const std::uint16_t pattern : candidate.from)
            add(candidate.service, pattern);
    }

    Candidates done() {
        for (Candidate& candidate : list_)
            std::ranges::sort(candidate.from);
        return std::move(list_);
    }

private:
    std::vector<bool> asked_;
    Candidates list_;
};

} // namespace

/// One element of `from` of one service.
struct CandidateLists::Asked {
    std::uint16_t service;
    std::uint16_t pattern;
};

std::vector<std::string> from_patterns(const Policy& policy) {
    std::vector<std::string> patterns;
    for (const Service& service : policy.services)
        patterns.insert(patterns.end(), service.from.begin(), service.from.end());
    std::ranges::sort(patterns);
    patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
    return patterns;
}

std::size_t alternatives(const Candidates& list) {
    const bool choice = !list.empty() && !list.front().from.empty();
    return choice ? list.size() : 0;
}

CandidateLists::CandidateLists(const Policy& policy)
    : policy_(policy), patterns_(from_patterns(policy)) {
    place_of({});
}

std::uint32_t CandidateLists::only(std::uint16_t service) {
    return place_of({{service, {}}});
}

std::uint32_t CandidateLists::on_top(std::uint32_t below,
                                     const std::vector<std::uint16_t>& services) {
    const auto [at, added] = stacked_.try_emplace({below, services});
    if (added)
        at->second = place_of(stacked(lists_[below], services));
    return at->second;
}

std::uint32_t CandidateLists::place_of(Candidates list) {
    const auto [at, added] =
        places_.try_emplace(std::move(list), static_cast<std::uint32_t>(lists_.size()));
    if (added) {
        lists_.push_back(at->first);
        alternatives_ += ballast::alternatives(at->first);
    }
    return at->second;
}

std::vector<CandidateLists::Asked>
CandidateLists::in_order(const std::vector<std::uint16_t>& services) const {
    std::vector<Asked> out;
    for (const std::uint16_t service : services)
        for (const std::string& pattern : policy_.services[service - 1U].from) {
            const auto at = std::ranges::lower_bound(patterns_, pattern) - patterns_.begin();
            out.push_back({service, static_cast<std::uint16_t>(at)});
        }
    const auto rank = [this](const Asked& asked) {
        return std::tuple(-static_cast<int>(patterns_[asked.pattern].size()),
                          std::string_view(policy_.services[asked.service - 1U].name),
                          asked.pattern);
    };
    std::ranges::sort(out, [&](const Asked& a, const Asked& b) { return rank(a) < rank(b); });
    return out;
}

Candidates CandidateLists::stacked(const Candidates& below,
                                   const std::vector<std::uint16_t>& services) const {
    Stack stack(patterns_.size());
    for (const Asked& asked : in_order(services))
        stack.add(asked.service, asked.pattern);
    for (const Candidate& candidate : below)
        stack.add_below(candidate);
    return stack.done();
}

} // namespace ballast
