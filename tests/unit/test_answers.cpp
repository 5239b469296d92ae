// SPDX-License-Identifier: Apache-2.0
// daemon/config/answers: what DNS names resolve to, on top of a policy.
#include <algorithm>
#include <array>
#include <string>

#include "daemon/config/answers.h"
#include "daemon/config/overrides.h"
#include "daemon/config/policy_parser.h"
#include "daemon/model/explain.h"
#include "daemon/model/prefix_rules.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_answers {

namespace {

using namespace ballast;

Policy policy_of(const std::string& text) {
    const auto report = parse_policy({{"p.toml", text}});
    assert_string_equal(report.errors.text().c_str(), "");
    return *report.policy;
}

/// One [[service]] of four lines: `to` is its third, `more` its fourth.
std::string service(const std::string& name, const std::string& to, const std::string& more = "") {
    return fmt::format("[[service]]\nname = '{}'\nto = [{}]\n{}\n", name, to, more);
}

Answer addresses(const std::vector<const char*>& texts) {
    std::vector<Address> all;
    for (const char* text : texts)
        all.push_back(*parse_address(text));
    return answer_of(std::move(all));
}

/// So many addresses, 10.9.0.0 and up.
Answer many(std::size_t count) {
    std::vector<Address> all;
    for (std::size_t i = 0; i < count; ++i)
        all.push_back(*parse_address(fmt::format("10.9.{}.{}", i / 256, i % 256)));
    return answer_of(std::move(all));
}

/// "NAME to,to; NAME ..." of all services.
std::string shown(const Policy& policy) {
    std::string out;
    for (const Service& row : policy.services) {
        out += (out.empty() ? "" : "; ") + row.name;
        for (const Target& target : row.to)
            out += (&target == row.to.data() ? " " : ",") + target.text();
    }
    return out;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines)
        out += (out.empty() ? "" : "\n") + line;
    return out;
}

void check(const std::string& text, const Answers& answers, const char* targets,
           const char* notices = "") {
    const ResolvedPolicy got = apply_answers(policy_of(text), answers);
    assert_string_equal(shown(got.policy).c_str(), targets);
    assert_string_equal(joined(got.notices).c_str(), notices);
}

void answers_are_added(void**) {
    const Answers answers{{"db", addresses({"10.0.0.6", "2001:db8::1", "10.0.0.5", "10.0.0.6"})},
                          {"other", addresses({"10.0.0.9"})}};
    check(service("a", "'db:80'"), answers, "a 10.0.0.5:80,10.0.0.6:80,[2001:db8::1]:80");
    check(service("a", "'db:80', '10.0.0.6:80', '10.1.0.0/16'"), answers,
          "a 10.0.0.6:80,10.1.0.0/16,10.0.0.5:80,[2001:db8::1]:80");
    check(service("a", "'db:80', 'other'"), answers,
          "a 10.0.0.5:80,10.0.0.6:80,[2001:db8::1]:80,10.0.0.9");
    check(service("a", "'unknown', '10.0.0.1'"), answers, "a 10.0.0.1");
    check(service("a", "'unknown'"), answers, "a");
}

void it_is_known_which_come_from_a_name(void**) {
    const Answers answers{{"db", addresses({"10.0.0.5", "10.0.0.6"})}};
    const auto policy =
        apply_answers(policy_of(service("a", "'db:80', '10.0.0.6:80'")), answers).policy;
    assert_int_equal(policy.services[0].resolved.size(), 1);
    assert_true(policy.services[0].resolved[0] ==
                (ResolvedTarget{*parse_target("10.0.0.5:80"), "db"}));
    const auto name = [&](const char* endpoint) {
        return explain(policy, *parse_endpoint(endpoint), {}).targets.at(0).name;
    };
    assert_string_equal(name("10.0.0.5:80").c_str(), "db");
    assert_string_equal(name("10.0.0.6:80").c_str(), "");
}

void the_lowest_64_of_many(void**) {
    std::vector<Address> all = many(64).addresses;
    const Answer lowest = answer_of(all);
    assert_int_equal(lowest.left_out, 0);
    for (const char* text : {"10.9.0.200", "10.9.0.100", "2001:db8::1"})
        all.push_back(*parse_address(text));
    std::ranges::rotate(all, all.begin() + 40);
    const Answer answer = answer_of(all);
    assert_int_equal(answer.left_out, 3);
    assert_true(answer.addresses == lowest.addresses);
    const auto got = apply_answers(policy_of(service("a", "'db:80'")), {{"db", answer}});
    assert_int_equal(got.policy.services[0].to.size(), kMaxNameAnswers);
    assert_string_equal(joined(got.notices).c_str(),
                        "p.toml:3: key service.to: \"db:80\" of \"a\" has 67 addresses; the lowest "
                        "64 are governed");
}

/// The second service's `to` is on line 7.
void the_first_service_keeps_an_address(void**) {
    const Answers answers{{"x", addresses({"10.0.0.5", "10.0.0.6"})},
                          {"y", addresses({"10.0.0.6", "10.0.0.7"})},
                          {"z", addresses({"10.0.0.5", "10.0.0.6"})}};
    check(service("a", "'x:80'") + service("b", "'y:80-89'"), answers,
          "a 10.0.0.5:80,10.0.0.6:80; b 10.0.0.7:80-89",
          "p.toml:7: key service.to: \"y:80-89\" of \"b\" does not govern 10.0.0.6: \"a\" has it, "
          "by \"x:80\" (p.toml:3); one port of one address belongs to one service");
    check(service("a", "'x:80'") + service("b", "'z:80'"), answers, "a 10.0.0.5:80,10.0.0.6:80; b",
          "p.toml:7: key service.to: \"z:80\" of \"b\" does not govern 10.0.0.5 and 1 more: \"a\" "
          "has it, by \"x:80\" (p.toml:3); one port of one address belongs to one service");
}

/// Also where the name's service is the first: an address that was written was meant.
void a_literal_address_goes_first(void**) {
    check(service("a", "'x:80'") + service("b", "'10.0.0.5:80'"), {{"x", addresses({"10.0.0.5"})}},
          "a; b 10.0.0.5:80",
          "p.toml:3: key service.to: \"x:80\" of \"a\" does not govern 10.0.0.5: \"b\" has it, by "
          "\"10.0.0.5:80\" (p.toml:5); one port of one address belongs to one service");
}

struct Peaceful {
    const char* what;
    const char* first;
    const char* first_from;
    const char* second;
    const char* second_from;
};

void what_does_not_collide(void**) {
    for (const Peaceful& c : std::array{
             Peaceful{"other ports", "'x:80'", "", "'y:81'", ""},
             Peaceful{"a range and any-port", "'x:80'", "", "'y'", ""},
             Peaceful{"a wider prefix", "'x:80'", "", "'10.0.0.0/24:80'", ""},
             Peaceful{"with from and without", "'x:80'", "from=['a.service']", "'y:80'", ""},
             Peaceful{"other from", "'x:80'", "from=['a.service']", "'y:80'", "from=['b.service']"},
         }) {
        print_message("# %s\n", c.what);
        const auto got = apply_answers(
            policy_of(service("a", c.first, c.first_from) + service("b", c.second, c.second_from)),
            {{"x", addresses({"10.0.0.5"})}, {"y", addresses({"10.0.0.5"})}});
        assert_string_equal(joined(got.notices).c_str(), "");
        assert_int_equal(got.policy.services[0].to.size(), 1);
        assert_int_equal(got.policy.services[1].to.size(), 1);
    }
    const auto shared =
        apply_answers(policy_of(service("a", "'x:80'", "from=['a.service', 'b.service']") +
                                service("b", "'y:80'", "from=['b.service']")),
                      {{"x", addresses({"10.0.0.5"})}, {"y", addresses({"10.0.0.5"})}});
    assert_int_equal(shared.notices.size(), 1);
}

void what_is_written_so_wins_over_answers_of_the_same_service(void**) {
    check(service("a", "'x:80', 'y:80', 'x:80-90'"),
          {{"x", addresses({"10.0.0.5"})}, {"y", addresses({"10.0.0.5"})}},
          "a 10.0.0.5:80,10.0.0.5:80-90");
}

/// 256 names of 64 addresses are as many targets as there may be, and the names count too.
void no_more_targets_than_possible(void**) {
    std::string to;
    Answers answers;
    for (std::size_t i = 0; i < kMaxNames; ++i) {
        const std::string host = fmt::format("n{}", i);
        to += fmt::format("{}'{}:80'", i == 0 ? "" : ",", host);
        std::vector<Address> all;
        for (std::size_t j = 0; j < kMaxNameAnswers; ++j)
            all.push_back(*parse_address(fmt::format("10.8.{}.{}", i, j)));
        answers[host] = answer_of(std::move(all));
    }
    const auto got = apply_answers(policy_of(service("a", to)), answers);
    assert_int_equal(got.policy.services[0].to.size(), kMaxTargets - kMaxNames);
    assert_int_equal(got.notices.size(), 4);
    assert_non_null(std::strstr(got.notices[0].c_str(),
                                "p.toml:3: key service.to: \"n252:80\" of \"a\" does not govern "
                                "10.8.252.0 and 63 more: there are 16384 targets already"));
}

void no_more_ranges_than_possible(void**) {
    std::string to;
    for (unsigned i = 0; i < kMaxPortRanges; ++i)
        to += fmt::format("'10.0.0.5:{}',", 1000 + 2 * i);
    const Answers answers{{"x", addresses({"10.0.0.5", "10.0.0.6"})}};
    const auto got = apply_answers(policy_of(service("a", to + "'x:80'")), answers);
    assert_string_equal(got.policy.services[0].to.back().text().c_str(), "10.0.0.6:80");
    assert_string_equal(joined(got.notices).c_str(),
                        "p.toml:3: key service.to: \"x:80\" of \"a\" does not govern 10.0.0.5: it "
                        "has 15 port ranges already, as many as are possible");
    assert_true(apply_answers(policy_of(service("a", to + "'x'")), answers).notices.empty());
}

/// Ranges of wider prefixes, in as many parts as there may be once a name's range is added.
void no_more_spans_than_possible(void**) {
    std::string wide;
    std::string wider;
    for (unsigned i = 0; i < 8; ++i)
        wider += fmt::format("'10.0.0.0/16:{}',", 1002 + 4 * i);
    for (unsigned i = 0; i < 7; ++i)
        wide += fmt::format("'10.0.0.0/24:{}',", 1000 + 4 * i);
    const std::string text = service("a", wider) + service("b", wide) + service("c", "'x:80'");
    const Answers answers{{"x", addresses({"10.0.0.5", "10.7.0.5"})}};
    const auto got = apply_answers(policy_of(text), answers);
    for (const PrefixRule& rule : prefix_rules(got.policy).rules)
        assert_true(rule.spans.size() <= kMaxPortSpans);
    assert_string_equal(got.policy.services[2].to.at(0).text().c_str(), "10.7.0.5:80");
    assert_int_equal(got.policy.services[2].to.size(), 1);
    assert_int_equal(got.policy.services[2].resolved.size(), 1);
    assert_string_equal(joined(got.notices).c_str(),
                        "p.toml:11: key service.to: \"x:80\" of \"c\" does not govern 10.0.0.5:80: "
                        "its ports, with those of the prefixes around it, fall into more than 32 "
                        "parts");
}

/// An override of an endpoint takes it from what a name has, as it does from a literal target.
void an_override_goes_on_top(void**) {
    const auto resolved =
        apply_answers(policy_of(service("a", "'x:80-81'")), {{"x", addresses({"10.0.0.5"})}});
    Override wanted;
    wanted.target = "10.0.0.5:80";
    wanted.max_connections = 3;
    wanted.set_by = "root";
    const auto merged = apply_overrides(resolved.policy, {wanted});
    assert_int_equal(merged.skipped.size(), 0);
    assert_string_equal(shown(merged.policy).c_str(), "a 10.0.0.5:81; 10.0.0.5:80 10.0.0.5:80");
}

void names_of_a_policy(void**) {
    const auto hosts =
        hosts_of(policy_of(service("a", "'y:80', 'x', '10.0.0.1'") + service("b", "'X.:90', 'z'")));
    assert_string_equal(joined(hosts).c_str(), "x\ny\nz");
    const Policy policy = policy_of(service("a", "'y:80',\n'x'"));
    assert_string_equal(policy.services[0].to_names[1].origin.c_str(), "p.toml:4");
}

} // namespace

TEST_GROUP(answers) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_added),
        cmocka_unit_test(it_is_known_which_come_from_a_name),
        cmocka_unit_test(the_lowest_64_of_many),
        cmocka_unit_test(the_first_service_keeps_an_address),
        cmocka_unit_test(a_literal_address_goes_first),
        cmocka_unit_test(what_does_not_collide),
        cmocka_unit_test(what_is_written_so_wins_over_answers_of_the_same_service),
        cmocka_unit_test(no_more_targets_than_possible),
        cmocka_unit_test(no_more_ranges_than_possible),
        cmocka_unit_test(no_more_spans_than_possible),
        cmocka_unit_test(an_override_goes_on_top),
        cmocka_unit_test(names_of_a_policy),
    };
    return cmocka_run_group_tests_name("answers", tests, nullptr, nullptr);
}

} // namespace test_answers
