// SPDX-License-Identifier: Apache-2.0
// daemon/config: what valid policies say of keepalive.
#include <string>

#include "daemon/config/policy_parser.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_policy_keepalive {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

PolicyReport accepted(const std::string& text) {
    PolicyReport report = parse_policy({{"p.toml", text}});
    assert_string_equal(report.errors.text().c_str(), "");
    assert_true(report.policy.has_value());
    return report;
}

constexpr auto* all_keys = R"([guards]
keepalive = "enforce"
[[service]]
name = "a"
to = ["10.0.0.1"]
[service.keepalive]
mode = "observe"
idle = "9h"
interval = "1h"
count = 127
[[service]]
name = "b"
to = ["10.0.0.2"]
keepalive = "auto"
keepalive_start = "1s"
keepalive_max = "9h"
[[service]]
name = "c"
to = ["10.0.0.3"]
keepalive = "off"
[[service]]
name = "d"
to = ["10.0.0.4"]
mode = "off"
[[service]]
name = "e"
to = ["10.0.0.5"]
mode = "off"
keepalive = { mode = "enforce" }
[[service]]
name = "f"
to = ["10.0.0.6"]
keepalive = { idle = "90s" }
[[service]]
name = "g"
to = ["10.0.0.7"]
keepalive = { learn_prefix_ipv4 = 0, learn_prefix_ipv6 = 128 }
[[service]]
name = "h"
to = ["10.0.0.8"]
[service.keepalive]
learn_prefix_ipv4 = 32
learn_prefix_ipv6 = 0
)";

void keepalive_keys(void**) {
    const auto report = accepted(all_keys);
    assert_string_equal(report.warnings.text().c_str(), "");
    assert_true(report.policy->mode(GuardKind::keepalive) == Mode::enforce);
    const auto& services = report.policy->services;
    const KeepaliveRule first{Mode::observe, KeepaliveKind::fixed, 60s, 9h, 1h, 127, {}};
    assert_true(services.at(0).keepalive == first);
    const KeepaliveRule second{Mode::enforce, KeepaliveKind::automatic, 1s, 60s, 10s, 9, {}, 9h};
    assert_true(services.at(1).keepalive == second);
    assert_true(services.at(2).keepalive.mode == Mode::off);
    assert_true(services.at(2).keepalive.kind == KeepaliveKind::off);
    assert_true(services.at(3).keepalive.mode == Mode::off);
    assert_true(services.at(4).keepalive.mode == Mode::enforce);
    assert_true(services.at(4).keepalive.kind == KeepaliveKind::automatic);
    const KeepaliveRule last{Mode::enforce, KeepaliveKind::fixed, 60s, 90s, 10s, 9, {}};
    assert_true(services.at(5).keepalive == last);
    assert_true(services.at(6).keepalive.kind == KeepaliveKind::automatic);
    const LearnPrefixes any_ipv4{0, 128};
    assert_true(services.at(6).keepalive.learn_prefix == any_ipv4);
    const LearnPrefixes any_ipv6{32, 0};
    assert_true(services.at(7).keepalive.learn_prefix == any_ipv6);
}

void a_start_without_use_is_warned_of(void**) {
    const std::string service = "[[service]]\nname='a'\nto=['10.0.0.5']\n";
    assert_string_equal(
        accepted(service + "keepalive='off'\nkeepalive_start='1s'\n").warnings.text().c_str(),
        "p.toml:5: key service.keepalive_start: has no effect: keepalive is not \"auto\"");
    assert_string_equal(accepted(service + "keepalive_start='1s'\n").warnings.text().c_str(), "");
}

} // namespace

TEST_GROUP(policy_keepalive) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(keepalive_keys),
        cmocka_unit_test(a_start_without_use_is_warned_of),
    };
    return cmocka_run_group_tests_name("policy_keepalive", tests, nullptr, nullptr);
}

} // namespace test_policy_keepalive
