// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/prefix_rules.h"

#include <algorithm>
#include <tuple>

namespace ballast {
namespace {

using Spans = std::vector<PortSpan>;

struct Claim {
    Target target;
    std::uint16_t service;
};

/// Order of application: by prefix, a shorter one before those inside it, any-port before ranges.
bool applied_before(const Claim& a, const Claim& b) {
    const auto rank = [](const Claim& c) {
        return std::tuple(c.target.prefix, !c.target.any_port(), c.target.port_first,
                          c.target.port_last, c.service);
    };
    return rank(a) < rank(b);
}

/// All targets for which `wanted` holds, in order of application.
template <typename Wanted>
std::vector<Claim> claims(const Policy& policy, const Wanted& wanted) {
    std::vector<Claim> out;
    std::uint16_t service = 0;
    for (const Service& row : policy.services) {
        ++service;
        for (const Target& target : row.to)
            if (wanted(target))
                out.push_back({target, service});
    }
    std::sort(out.begin(), out.end(), applied_before);
    return out;
}

/// Makes a span begin at `port`; returns its index.
std::size_t split_at(Spans& spans, std::uint16_t port) {
    const auto after = std::upper_bound(spans.begin(), spans.end(), port,
                                        [](auto p, const PortSpan& s) { return p < s.first; });
    const auto index = static_cast<std::size_t>(after - spans.begin());
    const PortSpan holder = spans[index - 1];
    if (holder.first == port)
        return index - 1;
    spans.insert(after, {port, holder.service});
    return index;
}

void cover(Spans& spans, const Claim& claim) {
    const std::size_t begin = split_at(spans, claim.target.port_first);
    const std::uint16_t last = claim.target.port_last;
    const std::size_t end =
        last == 65535 ? spans.size() : split_at(spans, static_cast<std::uint16_t>(last + 1));
    for (std::size_t i = begin; i < end; ++i)
        spans[i].service = claim.service;
    const auto same = [](const PortSpan& a, const PortSpan& b) { return a.service == b.service; };
    spans.erase(std::unique(spans.begin(), spans.end(), same), spans.end());
}

/// The innermost rule on the way to `prefix`; drops from `open` what does not contain it.
Spans inherited(std::vector<PrefixRule>& open, const Prefix& prefix) {
    while (!open.empty() && !open.back().prefix.contains(prefix.address))
        open.pop_back();
    return open.empty() ? Spans{PortSpan{}} : open.back().spans;
}

} // namespace

std::vector<PrefixRule> prefix_rules(const Policy& policy) {
    std::vector<PrefixRule> rules;
    std::vector<PrefixRule> open;
    for (const Claim& claim : claims(policy, [](const Target&) { return true; })) {
        const Prefix& prefix = claim.target.prefix;
        if (rules.empty() || rules.back().prefix != prefix) {
            if (!rules.empty())
                open.push_back(rules.back());
            rules.push_back({prefix, inherited(open, prefix)});
        }
        cover(rules.back().spans, claim);
    }
    return rules;
}

std::vector<PortSpan> port_spans(const Policy& policy, const Prefix& prefix) {
    Spans spans{PortSpan{}};
    const auto holds = [&](const Target& target) {
        return target.prefix.length <= prefix.length && target.prefix.contains(prefix.address);
    };
    for (const Claim& claim : claims(policy, holds))
        cover(spans, claim);
    return spans;
}

} // namespace ballast
