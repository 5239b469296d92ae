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

#include "daemon/config/overrides.h"
#include "daemon/config/policy_parser.h"
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

void check_policy_holds(const Policy& policy) {
    std::set<std::string> names;
    for (const Service& service : policy.services) {
        require(names.insert(service.name).second, "names are unique");
        require(!service.to.empty(), "a service has targets");
        for (const Target& target : service.to)
            require(parse_target(target.text()) == target, "a target reads back");
    }
    for (const PrefixRule& rule : prefix_rules(policy))
        require(!rule.spans.empty() && rule.spans.size() <= kMaxPortSpans &&
                    rule.spans == port_spans(policy, rule.prefix),
                "rules fit the kernel and have one meaning");
    check_duration(policy.daemon.daemon_grace);
    check_duration(policy.daemon.sweep_interval);
    check_duration(policy.daemon.destination_ttl);
}

/// The text as the target of an override, on top of the policy.
void check_overrides(const Policy& policy, std::string_view input) {
    const std::string target(input.substr(0, input.find('\n')));
    const MergedPolicy merged = apply_overrides(
        policy, {{target, 5, {}, {}, "root", {}}, {"10.0.0.5:80", 6, {}, {}, "root", {}}});
    for (const PrefixRule& rule : prefix_rules(merged.policy))
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
