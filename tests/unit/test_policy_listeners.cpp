// SPDX-License-Identifier: Apache-2.0
// daemon/config: what the policy says of listeners, and what of it can be wrong.
#include <array>
#include <string>

#include "tests/harness/group.h"
#include "tests/unit/invalid_policy.h"

namespace test_policy_listeners {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using test::Case;
using test::check;

constexpr const char* head = "[listeners]\ninterfaces = ['eth*', 'lo']\n";

/// `lines` begin on line 6.
std::string listener(const std::string& lines) {
    return std::string(head) + "[[listener]]\nname = 'a'\non = ['*:80']\n" + lines;
}

ListenerRule rule_of(const std::string& text) {
    const auto report = parse_policy({{"p.toml", text}});
    if (!report.policy)
        print_error("%s\n", report.errors.text().c_str());
    assert_true(report.policy.has_value());
    assert_int_equal(report.policy->listeners.size(), 1);
    return report.policy->listeners.front();
}

void defaults(void**) {
    const auto rule = rule_of(listener(""));
    assert_string_equal(rule.name.c_str(), "a");
    assert_string_equal(rule.on.at(0).text().c_str(), "*:80");
    assert_true(rule.mode == Mode::observe && rule.action == ShedAction::rst);
    assert_true(rule.target == 20ms && rule.interval == 100ms);
    assert_int_equal(rule.low_percent, 50);
    assert_int_equal(rule.high_percent, 90);
    assert_true(rule.spare.empty());
    assert_int_equal(rule.share_percent, 0);
    assert_int_equal(rule.max_rate, 0);
    assert_string_equal(rule.origin.c_str(), "p.toml:3");
}

void every_key(void**) {
    const auto report = parse_policy(
        {{"p.toml", listener("mode = 'enforce'\naction = 'drop'\nlow = 20\nhigh = 60\n"
                             "target = '5ms'\ninterval = '1s'\nspare = ['10.9.0.0/16', '::1']\n"
                             "spare_percent = 25\nmax_share_per_source = 10\n"
                             "source_prefix_ipv4 = 24\nsource_prefix_ipv6 = 48\n"
                             "max_rate = 1000\nburst = 50\n")},
         {"q.toml", "[listeners]\nmode = 'enforce'\ninterfaces = ['bond0']\n"
                    "[[listener]]\nname = 'b'\non = ['10.0.0.1:80', '[2001:db8::1]:80']\n"}});
    assert_true(report.policy.has_value());
    const auto& rule = report.policy->listeners.at(0);
    assert_true(rule.mode == Mode::enforce && rule.action == ShedAction::drop);
    assert_int_equal(rule.low_percent, 20);
    assert_int_equal(rule.high_percent, 60);
    assert_true(rule.target == 5ms && rule.interval == 1s);
    assert_int_equal(rule.spare.size(), 2);
    assert_int_equal(rule.spare_percent, 25);
    assert_int_equal(rule.share_percent, 10);
    assert_int_equal(rule.source_ipv4, 24);
    assert_int_equal(rule.source_ipv6, 48);
    assert_int_equal(rule.max_rate, 1000);
    assert_int_equal(rule.burst, 50);
    const auto& other = report.policy->listeners.at(1);
    assert_true(other.mode == Mode::enforce); // as the last file has it
    assert_string_equal(other.on.at(1).text().c_str(), "[2001:db8::1]:80");
    assert_int_equal(report.policy->listener_options.interfaces.size(), 1);
}

void what_is_wrong(void**) {
    const std::string twice = "[[listener]]\nname = 'b'\non = ['*:80']\n";
    for (const Case& c : std::array{
             Case{"[[listener]]\nname = 'a'\n", 1, "listener.on", "missing; wanted an array"},
             Case{"[[listener]]\non = ['*:80']\n", 1, "listener.name",
                  "missing; every listener needs a name"},
             Case{"[[listener]]\nname = 'a'\non = ['*:0']\n", 3, "listener.on",
                  "\"0\" is not a port"},
             Case{"[[listener]]\nname = 'a'\non = ['0.0.0.0:80']\n", 3, "listener.on",
                  "any is written *:80"},
             Case{"[[listener]]\nname = 'a'\non = ['[::]:80']\n", 3, "listener.on",
                  "any is written *:80"},
             Case{"[[listener]]\nname = 'a'\non = [80]\n", 3, "listener.on",
                  "80 (an integer) is not a string"},
             Case{listener("low = 0\n"), 6, "listener.low", "0"},
             Case{listener("low = 95\n"), 6, "listener.low", "95 is not below high, 90"},
             Case{listener("high = 101\n"), 6, "listener.high", "101"},
             Case{listener("target = '11s'\n"), 6, "listener.target", "11s"},
             Case{listener("target = '200ms'\n"), 3, "listener.interval",
                  "is not longer than target"},
             Case{listener("action = 'icmp'\n"), 6, "listener.action", "icmp"},
             Case{listener("spare = ['10.0.0.1/8']\n"), 6, "listener.spare", "10.0.0.1/8"},
             Case{listener("spare_percent = 5\n"), 6, "listener.spare_percent", "needs spare"},
             Case{listener("burst = 5\n"), 6, "listener.burst", "needs max_rate"},
             Case{listener("max_rate = 0\n"), 6, "listener.max_rate", "0"},
             Case{listener("max_share_per_source = 0\n"), 6, "listener.max_share_per_source", "0"},
             Case{listener("backlog = 5\n"), 6, "listener.backlog", ""},
             Case{listener(twice), 8, "listener.on", "*:80 is taken: p.toml:5"},
             Case{listener("[[listener]]\nname = 'a'\non = ['*:81']\n"), 7, "listener.name",
                  "the name \"a\" is taken: p.toml:4"},
             Case{"[listeners]\ninterfaces = ['a/b']\n", 2, "listeners.interfaces",
                  "is no device's name or glob"},
             Case{"[listeners]\ninterfaces = ['a-name-of-16-chr']\n", 2, "listeners.interfaces",
                  "is no device's name or glob"},
             Case{"[listeners]\ninterface = ['lo']\n", 2, "listeners.interface", ""},
         })
        check(c);
}

void too_many(void**) {
    std::string text = head;
    for (int i = 0; i < 32; ++i)
        text += "[[listener]]\nname = 'n" + std::to_string(i) +
                "'\non = ['*:" + std::to_string(1000 + i) + "']\n";
    check({text, 96, "listener", "more than 31 listeners in all"});
}

void what_has_no_effect(void**) {
    const auto report =
        parse_policy({{"p.toml", "[[listener]]\nname = 'a'\non = ['*:80']\naction = 'drop'\n"}});
    assert_true(report.policy.has_value());
    assert_int_equal(report.warnings.problems().size(), 2);
}

} // namespace

TEST_GROUP(policy_listeners) {
    const CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(every_key),
                                cmocka_unit_test(what_is_wrong), cmocka_unit_test(too_many),
                                cmocka_unit_test(what_has_no_effect)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_policy_listeners
