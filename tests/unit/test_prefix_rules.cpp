// SPDX-License-Identifier: Apache-2.0
// daemon/model/prefix_rules: one lookup of the longest prefix must answer as the matching order of
// docs/configuration.md says, for every port.
#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>
#include <tuple>

#include "daemon/model/explain.h"
#include "daemon/model/from_pattern.h"
#include "daemon/model/prefix_rules.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_prefix_rules {

namespace {

using namespace ballast;

/// Services s1, s2, ...; an element that does not begin with a digit or ":" belongs to `from`.
Policy policy_of(const std::vector<std::vector<const char*>>& services) {
    Policy policy;
    for (const auto& elements : services) {
        Service service;
        service.name = fmt::format("s{}", policy.services.size() + 1);
        for (const std::string text : elements)
            if (std::string_view("0123456789:").find(text[0]) == std::string_view::npos)
                service.from.push_back(text);
            else
                service.to.push_back(*parse_target(text));
        policy.services.push_back(service);
    }
    return policy;
}

/// "0", "2" or "1<a,b>|2": services in order of candidates, with their `from`.
std::string shown(const Candidates& list, const std::vector<std::string>& patterns) {
    std::string out;
    for (const Candidate& candidate : list) {
        std::string from;
        for (const std::uint16_t pattern : candidate.from)
            from += (from.empty() ? "<" : ",") + patterns.at(pattern);
        out += fmt::format("{}{}{}{}", out.empty() ? "" : "|", candidate.service, from,
                           from.empty() ? "" : ">");
    }
    return out.empty() ? "0" : out;
}

/// "10.0.0.5: 0=0 80=1 81=0; ..." with PORT=CANDIDATES for each span.
std::string shown(const Policy& policy, const PrefixRules& all) {
    const auto patterns = from_patterns(policy);
    std::string out;
    for (const PrefixRule& rule : all.rules) {
        out += (out.empty() ? "" : "; ") + rule.prefix.text() + ":";
        for (const PortSpan& span : rule.spans)
            out += fmt::format(" {}={}", span.first, shown(all.candidates(span), patterns));
    }
    return out;
}

struct Case {
    const char* what;
    std::vector<std::vector<const char*>> services;
    const char* wanted;
};

void check_case(const Case& c) {
    print_message("# %s\n", c.what);
    const Policy policy = policy_of(c.services);
    assert_string_equal(shown(policy, prefix_rules(policy)).c_str(), c.wanted);
}

void tables(void**) {
    for (const Case& c : std::array{
             Case{"nothing", {}, ""},
             Case{"a service without targets", {{}}, ""},
             Case{"one port", {{"10.0.0.5:5432"}}, "10.0.0.5: 0=0 5432=1 5433=0"},
             Case{"any port", {{"10.0.0.0/8"}}, "10.0.0.0/8: 0=1"},
             Case{"the last port", {{"10.0.0.5:65535"}}, "10.0.0.5: 0=0 65535=1"},
             Case{"all nameable ports", {{"10.0.0.5:1-65535"}}, "10.0.0.5: 0=0 1=1"},
             Case{"range before any-port, whatever their order",
                  {{"10.0.0.5:80"}, {"10.0.0.5"}},
                  "10.0.0.5: 0=2 80=1 81=2"},
             Case{"neighbours of one service are one span",
                  {{"10.0.0.5:80", "10.0.0.5:81-90"}},
                  "10.0.0.5: 0=0 80=1 91=0"},
             Case{"neighbours of two services are two",
                  {{"10.0.0.5:80"}, {"10.0.0.5:81"}},
                  "10.0.0.5: 0=0 80=1 81=2 82=0"},
             Case{"a longer prefix takes over what it does not name",
                  {{"10.0.0.0/8:443", "10.0.0.0/8:80"}, {"10.0.0.5:80"}},
                  "10.0.0.0/8: 0=0 80=1 81=0 443=1 444=0; 10.0.0.5: 0=0 80=2 81=0 443=1 444=0"},
             Case{"any-port of a longer prefix hides ranges of a shorter one",
                  {{"10.0.0.0/8:80"}, {"10.1.0.0/16"}},
                  "10.0.0.0/8: 0=0 80=1 81=0; 10.1.0.0/16: 0=2"},
             Case{"siblings lend each other nothing",
                  {{"10.1.0.0/16"}, {"10.2.0.0/16:80"}, {"10.0.0.0/8:90"}},
                  "10.0.0.0/8: 0=0 90=3 91=0; 10.1.0.0/16: 0=1; "
                  "10.2.0.0/16: 0=0 80=2 81=0 90=3 91=0"},
             Case{"::/0 reaches into IPv4",
                  {{"::/0"}, {"10.0.0.5:80"}},
                  "::/0: 0=1; 10.0.0.5: 0=1 80=2 81=1"},
         })
        check_case(c);
}

void tables_with_from(void**) {
    for (const Case& c : std::array{
             Case{"from before none on one prefix",
                  {{"10.0.0.5"}, {"10.0.0.5", "a"}},
                  "10.0.0.5: 0=2<a>|1"},
             Case{"from alone leaves the rest to nobody",
                  {{"10.0.0.5:80", "a"}},
                  "10.0.0.5: 0=0 80=1<a> 81=0"},
             Case{"gives way to a shorter prefix",
                  {{"10.0.0.0/8"}, {"10.0.0.5", "a"}},
                  "10.0.0.0/8: 0=1; 10.0.0.5: 0=2<a>|1"},
             Case{"none of a longer prefix hides from of a shorter one",
                  {{"10.0.0.5"}, {"10.0.0.0/8", "a"}},
                  "10.0.0.0/8: 0=2<a>; 10.0.0.5: 0=1"},
             Case{"a range goes before from on any port",
                  {{"10.0.0.5:80"}, {"10.0.0.5", "a"}},
                  "10.0.0.5: 0=2<a> 80=1 81=2<a>"},
             Case{"a range with from gives way to any port",
                  {{"10.0.0.5:80", "a"}, {"10.0.0.5"}},
                  "10.0.0.5: 0=2 80=1<a>|2 81=2"},
             Case{"the longer pattern goes first, which splits a service",
                  {{"10.0.0.5", "aaa", "c"}, {"10.0.0.5", "bb"}},
                  "10.0.0.5: 0=1<aaa>|2<bb>|1<c>"},
             Case{"patterns of one service stay together",
                  {{"10.0.0.5", "aaa", "c"}, {"10.0.0.5", "bbbb"}},
                  "10.0.0.5: 0=2<bbbb>|1<aaa,c>"},
             Case{"as long: the name decides",
                  {{"10.0.0.5", "b"}, {"10.0.0.5", "a"}},
                  "10.0.0.5: 0=1<b>|2<a>"},
             Case{"what was asked is not asked again",
                  {{"10.0.0.0/8", "a", "b"}, {"10.0.0.5", "a"}},
                  "10.0.0.0/8: 0=1<a,b>; 10.0.0.5: 0=2<a>|1<b>"},
             Case{"equal lists merge",
                  {{"10.0.0.5:80", "10.0.0.5:81", "a"}, {"10.0.0.5"}},
                  "10.0.0.5: 0=2 80=1<a>|2 82=2"},
         })
        check_case(c);
}

void lists_are_distinct_and_counted(void**) {
    const auto rules = prefix_rules(policy_of(
        {{"10.0.0.1", "10.0.0.2", "10.0.0.3:80", "a"}, {"10.0.0.1"}, {"10.0.0.2"}, {"10.0.0.9"}}));
    std::size_t sum = 0;
    for (const Candidates& list : rules.lists)
        sum += alternatives(list);
    assert_int_equal(sum, 2 + 2 + 1);
    assert_int_equal(rules.lists.size(), 1 + 3 + 3); // nobody; the three above; each alone
    assert_false(rules.crowded.has_value());
}

/// 64 elements on a wide prefix, below which each address has one more before it: 65 rows each.
void too_many_alternatives(void**) {
    Policy policy;
    for (int i = 0; i < 64; ++i) {
        Service wide;
        wide.name = fmt::format("wide-{}", i);
        wide.to = {*parse_target("10.0.0.0/8")};
        wide.from = {fmt::format("wide-{}", i)};
        policy.services.push_back(wide);
    }
    for (int i = 0; i < 70; ++i) {
        Service narrow;
        narrow.name = fmt::format("narrow-{}", i);
        narrow.to = {*parse_target(fmt::format("10.0.0.{}", i))};
        narrow.from = {fmt::format("narrow-{}", i)};
        policy.services.push_back(narrow);
    }
    const auto rules = prefix_rules(policy);
    assert_true(rules.crowded.has_value());
    assert_string_equal(rules.crowded->text().c_str(), "10.0.0.62"); // 64 + 63 * 65 = 4159
    assert_true(rules.rules.back().prefix == *rules.crowded);
}

constexpr std::array<const char*, 6> kPatterns{"a", "a*", "*.service", "/x", "/x/a.service", "b?"};
constexpr std::array<const char*, 6> kConsumers{"/",          "/x/a.service", "/x/b1",
                                                "/a/sub/sub", "/y/c.service", "/z"};

/// The longest element of `from` that holds for the consumer; nothing for a service that is for
/// everyone, "-" for one that is not for this one.
std::string standing(const Service& service, const char* consumer) {
    std::string best = service.from.empty() ? "" : "-";
    for (const std::string& pattern : service.from)
        if (from_matches(pattern, consumer) && (best == "-" || pattern.size() > best.size()))
            best = pattern;
    return best;
}

/// The matching order said the slow way: of all targets that apply the first by rank.
std::uint16_t governing(const Policy& policy, const Address& address, std::uint16_t port,
                        const char* consumer) {
    using Rank = std::tuple<int, bool, std::size_t, std::string>;
    std::optional<Rank> best;
    std::uint16_t service = 0;
    for (std::size_t i = 0; i < policy.services.size(); ++i)
        for (const Target& t : policy.services[i].to) {
            const std::string from = standing(policy.services[i], consumer);
            if (from == "-" || !t.prefix.contains(address) || port < t.port_first ||
                t.port_last < port)
                continue;
            const Rank rank{128 - t.prefix.length, t.any_port(), 1000 - from.size(),
                            policy.services[i].name};
            if (!best || rank < *best) {
                best = rank;
                service = static_cast<std::uint16_t>(i + 1);
            }
        }
    return service;
}

const PortSpan& span_of(const PrefixRule& rule, std::uint16_t port) {
    std::size_t at = 0;
    while (at + 1 < rule.spans.size() && rule.spans[at + 1].first <= port)
        ++at;
    return rule.spans[at];
}

std::uint16_t looked_up(const Candidates& list, const std::vector<std::string>& patterns,
                        const char* consumer) {
    for (const Candidate& candidate : list) {
        const auto holds = [&](std::uint16_t p) { return from_matches(patterns[p], consumer); };
        if (candidate.from.empty() || std::ranges::any_of(candidate.from, holds))
            return candidate.service;
    }
    return 0;
}

const PrefixRule* longest(const std::vector<PrefixRule>& rules, const Address& address) {
    const PrefixRule* best = nullptr;
    for (const PrefixRule& rule : rules)
        if (rule.prefix.contains(address) &&
            (best == nullptr || rule.prefix.length > best->prefix.length))
            best = &rule;
    return best;
}

Target random_target(std::minstd_rand& random) {
    const auto length = static_cast<unsigned>(random() % 6);
    Target target{*parse_prefix("10.0.0.0/27")};
    target.prefix.length = static_cast<std::uint8_t>(123 + length);
    target.prefix.address.bytes[15] =
        static_cast<std::uint8_t>((random() % 32) & (0xffU << (5 - length)));
    if (random() % 3 != 0) {
        target.port_first = static_cast<std::uint16_t>(1 + random() % 20);
        target.port_last = static_cast<std::uint16_t>(target.port_first + random() % 5);
    }
    return target;
}

std::vector<std::string> random_from(std::minstd_rand& random) {
    std::vector<std::string> from;
    for (const char* pattern : kPatterns)
        if (random() % 4 == 0)
            from.emplace_back(pattern);
    return random() % 3 == 0 ? std::vector<std::string>{} : from;
}

/// True where the configuration would refuse the two services beside each other.
bool collide(const Service& a, const Service& b) {
    const Target& x = a.to.front();
    const Target& y = b.to.front();
    const auto shared = [&](const std::string& p) { return std::ranges::count(b.from, p) > 0; };
    return x.prefix == y.prefix && x.any_port() == y.any_port() && x.port_first <= y.port_last &&
           y.port_first <= x.port_last &&
           ((a.from.empty() && b.from.empty()) || std::ranges::any_of(a.from, shared));
}

/// Random targets around few addresses, ports and patterns, one service for each target; names in
/// another order than the services.
Policy random_policy(std::minstd_rand& random) {
    Policy policy;
    for (int i = 0; i < 24; ++i) {
        Service service;
        service.name = fmt::format("s{}", (7 * i) % 24);
        service.to = {random_target(random)};
        service.from = random_from(random);
        const auto in_its_way = [&](const Service& other) { return collide(service, other); };
        if (std::ranges::none_of(policy.services, in_its_way))
            policy.services.push_back(service);
    }
    return policy;
}

struct Question {
    Address address;
    std::uint16_t port;
};

/// All answers for one address and port, by every way there is to ask.
void check(const Policy& policy, const PrefixRules& rules, const Question& question) {
    const auto patterns = from_patterns(policy);
    const auto& [address, port] = question;
    const PrefixRule* rule = longest(rules.rules, address);
    const auto here = rules_at(policy, {address, 128});
    const auto& local = here.candidates(span_of(here.rules.front(), port));
    const Candidates global =
        rule == nullptr ? Candidates{} : rules.candidates(span_of(*rule, port));
    assert_true(local == global);
    for (const char* consumer : kConsumers) {
        const std::uint16_t wanted = governing(policy, address, port, consumer);
        assert_int_equal(looked_up(global, patterns, consumer), wanted);
        const Explanation told = explain(policy, {address, port}, consumer);
        assert_int_equal(told.governing ? told.targets[*told.governing].service + 1 : 0, wanted);
    }
}

void agrees_with_the_matching_order(void**) {
    std::minstd_rand random(7);
    for (int round = 0; round < 100; ++round) {
        const Policy policy = random_policy(random);
        const auto rules = prefix_rules(policy);
        Address address = *parse_address("10.0.0.0");
        for (int i = 0; i < 100; ++i) {
            address.bytes[15] = static_cast<std::uint8_t>(random() % 32);
            check(policy, rules, {address, static_cast<std::uint16_t>(random() % 30)});
        }
    }
}

} // namespace

TEST_GROUP(prefix_rules) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(tables_with_from),
        cmocka_unit_test(lists_are_distinct_and_counted),
        cmocka_unit_test(too_many_alternatives),
        cmocka_unit_test(agrees_with_the_matching_order),
    };
    return cmocka_run_group_tests_name("prefix_rules", tests, nullptr, nullptr);
}

} // namespace test_prefix_rules
