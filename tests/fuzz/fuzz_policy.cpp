// SPDX-License-Identifier: Apache-2.0
// Fuzzes the policy parser. A NUL byte separates the files of one input. Beyond "no crash" it holds
// the parser to its promises: a policy or errors, never both; invariants of daemon/model/policy.h;
// targets and durations that read back; messages of one printable line at a real place.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config/overrides.h"
#include "daemon/config/policy_parser.h"
#include "daemon/model/explain.h"
#include "daemon/model/from_pattern.h"
#include "daemon/model/prefix_rules.h"
#include "daemon/util/duration.h"

namespace {

using namespace ballast;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken promise: %s\n", what);
    std::abort();
}

std::vector<PolicySource> split(std::string_view input) {
    std::vector<PolicySource> sources;
    while (sources.size() < 4) {
        const std::size_t end = input.find('\0');
        sources.push_back(
            {fmt::format("{}.toml", sources.size()), std::string(input.substr(0, end))});
        if (end == std::string_view::npos)
            break;
        input.remove_prefix(end + 1);
    }
    return sources;
}

void check_problem(const PolicyProblem& problem, const std::vector<PolicySource>& sources) {
    const std::string text = problem.text();
    require(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; }),
            "a message is one printable line");
    require(text.size() < 1000, "a message is bounded");
    const auto source = std::find_if(sources.begin(), sources.end(),
                                     [&](const auto& s) { return s.file == problem.file; });
    require(source != sources.end(), "a problem names its file");
    const auto lines = 1 + std::count(source->text.begin(), source->text.end(), '\n');
    require(problem.line >= 1 && problem.line <= lines, "a problem names a line of its file");
}

void check_duration(std::chrono::milliseconds duration) {
    require(parse_duration(duration_text(duration)) == duration, "a duration reads back");
}

void check_service(const Service& service) {
    require(!service.to.empty() || !service.to_names.empty(), "a service has targets");
    for (const Target& target : service.to)
        require(parse_target(target.text()) == target, "a target reads back");
    for (const NamedTarget& target : service.to_names)
        require(is_named_target(target.text()) && parse_named_target(target.text()) == target,
                "a DNS name reads back");
    for (const std::string& pattern : service.from)
        require(check_from(pattern).has_value(), "an element of from is lawful");
    require(service.breaker.open_for <= service.breaker.open_max, "the back-off has an order");
    require(service.burst == 0 || service.max_connect_rate, "a burst has a rate");
    for (const auto duration : {service.connect_timeout, service.breaker.window,
                                service.breaker.open_max, service.breaker.ramp})
        check_duration(duration);
}

/// The spans of a rule, with their lists instead of places of lists.
std::vector<std::pair<std::uint16_t, Candidates>> resolved(const PrefixRules& rules,
                                                           const PrefixRule& rule) {
    std::vector<std::pair<std::uint16_t, Candidates>> out;
    for (const PortSpan& span : rule.spans)
        out.emplace_back(span.first, rules.candidates(span));
    return out;
}

std::size_t chosen(const Candidates& list, const std::vector<std::string>& patterns,
                   std::string_view consumer) {
    for (const Candidate& candidate : list) {
        const auto holds = [&](std::uint16_t p) { return from_matches(patterns[p], consumer); };
        if (candidate.from.empty() || std::ranges::any_of(candidate.from, holds))
            return candidate.service;
    }
    return 0;
}

/// At an address of its own the candidate governs that explain() says does; a longer prefix may
/// have taken the address of a wider rule.
void check_rule(const Policy& policy, const PrefixRules& rules, const PrefixRule& rule) {
    if (rule.prefix.length != 128)
        return;
    const auto patterns = from_patterns(policy);
    for (const PortSpan& span : rule.spans)
        for (const char* consumer : {"/", "/system.slice/a.service", "/aaaa/aaab"}) {
            const Explanation told = explain(policy, {rule.prefix.address, span.first}, consumer);
            require((told.governing ? told.targets[*told.governing].service + 1 : 0) ==
                        chosen(rules.candidates(span), patterns, consumer),
                    "explain() tells the truth");
        }
}

void check_policy_holds(const Policy& policy) {
    std::set<std::string> names;
    for (const Service& service : policy.services) {
        require(names.insert(service.name).second, "names are unique");
        check_service(service);
    }
    const PrefixRules rules = prefix_rules(policy);
    require(!rules.crowded, "from chooses among a bounded number");
    for (const PrefixRule& rule : rules.rules) {
        require(!rule.spans.empty() && rule.spans.size() <= kMaxPortSpans, "rules fit the kernel");
        const PrefixRules here = rules_at(policy, rule.prefix);
        require(resolved(rules, rule) == resolved(here, here.rules.front()),
                "rules have one meaning");
        check_rule(policy, rules, rule);
    }
    check_duration(policy.daemon.daemon_grace);
    check_duration(policy.daemon.sweep_interval);
    check_duration(policy.daemon.destination_ttl);
    check_duration(policy.daemon.resolve_every);
    check_duration(policy.governor.release_after);
}

/// The text as the target of an override, on top of the policy.
void check_overrides(const Policy& policy, std::string_view input) {
    const std::string target(input.substr(0, input.find('\n')));
    Override of_text;
    of_text.target = target;
    of_text.max_connections = 5;
    of_text.burst = 3;
    Override of_endpoint;
    of_endpoint.target = "10.0.0.5:80";
    of_endpoint.max_connections = 6;
    const MergedPolicy merged = apply_overrides(policy, {of_text, of_endpoint});
    for (const PrefixRule& rule : prefix_rules(merged.policy).rules)
        require(rule.spans.size() <= kMaxPortSpans, "overrides keep the limits");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto sources = split(input);
    const PolicyReport report = parse_policy(sources);
    require(report.policy.has_value() == report.errors.empty(), "a policy or errors");
    require(report.errors.problems().size() <= kMaxProblems, "errors are bounded");
    for (const ProblemList* list : {&report.errors, &report.warnings})
        for (const PolicyProblem& problem : list->problems())
            check_problem(problem, sources);
    if (report.policy) {
        check_policy_holds(*report.policy);
        check_overrides(*report.policy, input);
    }
    return 0;
}
