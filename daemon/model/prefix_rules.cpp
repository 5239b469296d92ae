// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/prefix_rules.h"

#include <algorithm>
#include <span>
#include <tuple>

namespace ballast {
namespace {

using Spans = std::vector<PortSpan>;

struct Claim {
    Target target;
    std::uint16_t service; ///< index plus 1
    bool has_from;
};

/// Order of application: by prefix, a shorter one before those inside it, any-port before ranges.
auto rank(const Claim& claim) {
    const Target& target = claim.target;
    return std::tuple(target.prefix, !target.any_port(), target.port_first, target.port_last,
                      claim.service);
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
                out.push_back({target, service, !row.from.empty()});
    }
    std::ranges::sort(out, [](const Claim& a, const Claim& b) { return rank(a) < rank(b); });
    return out;
}

/// A span while claims of one prefix and kind are laid over what lies below.
struct Part {
    std::uint16_t first;
    std::uint32_t list;
    std::vector<std::uint16_t> services; ///< with `from`, ascending
};

/// Makes a part begin at `port`; returns its index.
std::size_t split_at(std::vector<Part>& parts, std::uint16_t port) {
    const auto after = std::ranges::upper_bound(parts, port, {}, &Part::first);
    const auto index = static_cast<std::size_t>(after - parts.begin());
    if (parts[index - 1].first == port)
        return index - 1;
    Part behind = parts[index - 1];
    behind.first = port;
    parts.insert(after, std::move(behind));
    return index;
}

/// The parts that are the claim's.
std::span<Part> covered(std::vector<Part>& parts, const Target& target) {
    const std::size_t begin = split_at(parts, target.port_first);
    const std::uint16_t last = target.port_last;
    const std::size_t end =
        last == 65535 ? parts.size() : split_at(parts, static_cast<std::uint16_t>(last + 1));
    return std::span(parts).subspan(begin, end - begin);
}

void lay(Part& part, const Claim& claim, CandidateLists& lists) {
    if (!claim.has_from) {
        part.list = lists.only(claim.service);
        return;
    }
    const auto at = std::ranges::lower_bound(part.services, claim.service);
    if (at == part.services.end() || *at != claim.service)
        part.services.insert(at, claim.service);
}

/// `below` with claims of one prefix and kind on top, which may come in any order.
Spans covered_by(const Spans& below, std::span<const Claim> claims, CandidateLists& lists) {
    std::vector<Part> parts;
    for (const PortSpan& span : below)
        parts.push_back({span.first, span.list, {}});
    for (const Claim& claim : claims)
        for (Part& part : covered(parts, claim.target))
            lay(part, claim, lists);
    Spans out;
    for (const Part& part : parts) {
        const std::uint32_t list =
            part.services.empty() ? part.list : lists.on_top(part.list, part.services);
        if (out.empty() || out.back().list != list)
            out.push_back({part.first, list});
    }
    return out;
}

/// The claims at the front that are of one prefix and one kind.
std::span<const Claim> first_group(std::span<const Claim> claims) {
    const Target& first = claims.front().target;
    std::size_t count = 1;
    while (count < claims.size() && claims[count].target.prefix == first.prefix &&
           claims[count].target.any_port() == first.any_port())
        ++count;
    return claims.first(count);
}

/// The innermost rule on the way to `prefix`; drops from `open` what does not contain it.
Spans inherited(std::vector<PrefixRule>& open, const Prefix& prefix) {
    while (!open.empty() && !open.back().prefix.contains(prefix.address))
        open.pop_back();
    return open.empty() ? Spans{PortSpan{}} : open.back().spans;
}

} // namespace

PrefixRules prefix_rules(const Policy& policy) {
    PrefixRules out;
    CandidateLists lists(policy);
    std::vector<PrefixRule> open;
    const auto all = claims(policy, [](const Target&) { return true; });
    for (std::span<const Claim> left(all); !left.empty() && !out.crowded;) {
        const auto group = first_group(left);
        left = left.subspan(group.size());
        const Prefix& prefix = group.front().target.prefix;
        if (out.rules.empty() || out.rules.back().prefix != prefix) {
            if (!out.rules.empty())
                open.push_back(out.rules.back());
            out.rules.push_back({prefix, inherited(open, prefix)});
        }
        Spans& spans = out.rules.back().spans;
        spans = covered_by(spans, group, lists);
        if (lists.alternatives() > kMaxAlternatives)
            out.crowded = prefix;
    }
    out.lists = lists.lists();
    return out;
}

PrefixRules rules_at(const Policy& policy, const Prefix& prefix) {
    CandidateLists lists(policy);
    Spans spans{PortSpan{}};
    const auto all = claims(policy, [&](const Target& target) {
        return target.prefix.length <= prefix.length && target.prefix.contains(prefix.address);
    });
    for (std::span<const Claim> left(all); !left.empty();) {
        const auto group = first_group(left);
        left = left.subspan(group.size());
        spans = covered_by(spans, group, lists);
    }
    return {lists.lists(), {{prefix, std::move(spans)}}, {}};
}

} // namespace ballast
