// SPDX-License-Identifier: Apache-2.0
// daemon/config: what valid policies become, how files combine, what is warned of.
#include <array>
#include <sstream>
#include <string>

#include "daemon/config/policy_parser.h"
#include "daemon/model/prefix_rules.h"
#include "policy_texts.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_policy {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

/// The policy of texts named "1.toml", "2.toml", ...; ends the test if there are errors.
PolicyReport accepted(const std::vector<std::string>& texts) {
    std::vector<PolicySource> sources;
    sources.reserve(texts.size());
    for (const std::string& text : texts)
        sources.push_back({fmt::format("{}.toml", sources.size() + 1), text});
    PolicyReport report = parse_policy(sources);
    assert_string_equal(report.errors.text().c_str(), "");
    assert_true(report.policy.has_value());
    return report;
}

void nothing_is_the_default(void**) {
    for (const auto& texts : std::array<std::vector<std::string>, 4>{
             {{}, {""}, {"# only a comment\n", "\n"}, {"[daemon]\n[guards]\n"}}}) {
        const PolicyReport report = accepted(texts);
        assert_true(*report.policy == Policy{});
        assert_true(report.warnings.empty());
    }
}

void daemon_options(void**) {
    const auto report = accepted({R"([daemon]
daemon_grace = "90s"
sweep_interval = "15s"
destination_ttl = "7d"
metrics_listen = "[::1]:9555"
agent_listen = "127.0.0.1:9556"
resolve_every = "1h"
)"});
    const DaemonOptions& daemon = report.policy->daemon;
    assert_int_equal(daemon.daemon_grace / 1s, 90);
    assert_int_equal(daemon.sweep_interval / 1s, 15);
    assert_int_equal(daemon.destination_ttl / 24h, 7);
    assert_string_equal(daemon.metrics_listen.c_str(), "[::1]:9555");
    assert_string_equal(daemon.agent_listen.c_str(), "127.0.0.1:9556");
    assert_int_equal(daemon.resolve_every / 1s, 3600);
}

void zero_grace(void**) {
    for (const char* text : {"0", "\"0\"", "\"0s\""}) {
        const auto report = accepted({fmt::format("daemon.daemon_grace = {}", text)});
        assert_int_equal(report.policy->daemon.daemon_grace.count(), 0);
    }
}

void service_fields(void**) {
    const auto report = accepted({R"(
[guards]
limit = "enforce"
[[service]]
name = "orders-db"
to = ["10.0.0.5:5432", "[2001:db8:1::]/48:443"]
max_connections = 1000000
on_limit = "unreachable"
mode = "observe"
[[service]]
name = "B_2.x"
to = ["192.0.2.1"]
)"});
    const std::vector<Service>& services = report.policy->services;
    assert_int_equal(services.size(), 2);
    assert_string_equal(services[0].name.c_str(), "orders-db");
    assert_int_equal(services[0].to.size(), 2);
    assert_string_equal(services[0].to[1].text().c_str(), "[2001:db8:1::]/48:443");
    assert_int_equal(services[0].max_connections.value_or(0), 1'000'000);
    assert_true(services[0].on_limit == OnLimit::unreachable);
    assert_true(services[0].mode == Mode::observe);
    assert_string_equal(services[0].origin.c_str(), "1.toml:4");
    assert_false(services[1].max_connections.has_value());
    assert_true(services[1].on_limit == OnLimit::refused);
    assert_true(services[1].mode == Mode::enforce);
    assert_string_equal(services[1].origin.c_str(), "1.toml:10");
}

void service_limits(void**) {
    const auto report = accepted({R"([[service]]
name = "db"
to = ["10.0.0.5:5432", "DB.internal.:5000-5010", "other"]
from = ["app-*.service", "/system.slice/cron.service"]
max_connections = 50
max_connections_total = 80
max_per_consumer = 20
max_connect_rate = 30
burst = 60
connect_timeout = "3s"
mode = "enforce"
[[service]]
name = "names-only"
to = ["db.internal"]
max_connect_rate = 5
)"});
    assert_string_equal(report.warnings.text().c_str(), "");
    Service wanted;
    wanted.name = "db";
    wanted.to = {*parse_target("10.0.0.5:5432")};
    wanted.to_names = {{"db.internal", 5000, 5010}, {"other"}};
    wanted.from = {"app-*.service", "/system.slice/cron.service"};
    wanted.max_connections = 50;
    wanted.max_connections_total = 80;
    wanted.max_per_consumer = 20;
    wanted.max_connect_rate = 30;
    wanted.burst = 60;
    wanted.connect_timeout = 3s;
    wanted.mode = Mode::enforce;
    wanted.origin = "1.toml:1";
    assert_true(report.policy->services.at(0) == wanted);
    assert_true(report.policy->services.at(1).to.empty());
    assert_int_equal(report.policy->services.at(1).burst, 0);
}

void breaker_keys(void**) {
    const auto report = accepted({R"([guards]
breaker = "enforce"
[[service]]
name = "a"
to = ["10.0.0.1"]
[service.breaker]
mode = "off"
window = "20s"
timed_out = 1
refused = 2
unreachable = 3
slow = 4
reset = 0
half_open_flow = 65535
failure_ratio = 0.25
slow_connect = "1ms"
open_for = "100ms"
open_max = "1d"
probes = 100
ramp = 0
[[service]]
name = "b"
to = ["10.0.0.2"]
breaker = { open_for = "2m", failure_ratio = 0, ramp_start = 100, reset_within = "5m" }
)"});
    assert_string_equal(report.warnings.text().c_str(), "");
    assert_true(report.policy->mode(GuardKind::breaker) == Mode::enforce);
    const Breaker first{Mode::off, 20s, {1, 2, 3, 4, 0, 65535}, 25, 1ms, 0ms, 100ms, 24h, 100,
                        0ms,       10};
    assert_true(report.policy->services.at(0).breaker == first);
    Breaker second;
    second.mode = Mode::enforce;
    second.open_for = second.open_max = 2min; // open_max follows
    second.failure_percent = 0;
    second.ramp_start = 100;
    second.reset_within = 5min;
    assert_true(report.policy->services.at(1).breaker == second);
}

void half_open_keys(void**) {
    const auto report = accepted({R"([guards]
half_open = "enforce"
[[service]]
name = "a"
to = ["10.0.0.1"]
[service.half_open]
mode = "observe"
action = "reset"
reset_kinds = ["peer_hung", "silently_dropped"]
path_down_after = "1m"
confirm_retransmits = 10
response_timeout = "1d"
witness = "connect"
[[service]]
name = "b"
to = ["10.0.0.2"]
half_open = { confirm_retransmits = 2, response_timeout = 0 }
[[service]]
name = "c"
to = ["10.0.0.3"]
mode = "off"
)"});
    assert_string_equal(report.warnings.text().c_str(), "");
    assert_true(report.policy->mode(GuardKind::half_open) == Mode::enforce);
    const HalfOpen first{
        Mode::observe,
        HalfOpenAction::reset,
        10,
        24h,
        HalfOpenWitness::connect,
        HalfOpenKinds().with(HalfOpenKind::peer_hung).with(HalfOpenKind::silently_dropped),
        1min};
    assert_true(report.policy->services.at(0).half_open == first);
    HalfOpen second;
    second.mode = Mode::enforce;
    second.confirm_retransmits = 2;
    assert_true(report.policy->services.at(1).half_open == second);
    assert_true(report.policy->services.at(2).half_open.mode == Mode::off);
}

void governor_options(void**) {
    const auto report = accepted({R"([governor]
actions_per_minute = 100000
breaker_opens_per_minute = 1
resets_per_minute = 2
observer_fault_ratio = 0.29
observer_fault_window = "1s"
release_after = "1h"
dry_run = true
)",
                                  "[governor]\nrelease_after = 0\nactions_per_minute = 7\n"});
    const GovernorOptions wanted{7, 1, 2, 29, 1s, 0s, true};
    assert_true(report.policy->governor == wanted);
    for (const char* ratio : {"1", "1.0"})
        assert_int_equal(accepted({fmt::format("governor.observer_fault_ratio = {}", ratio)})
                             .policy->governor.observer_fault_percent,
                         100);
    const std::string on = "[governor]\ndry_run = true\n";
    assert_false(accepted({on, "governor.dry_run = false"}).policy->governor.dry_run);
}

void files_combine(void**) {
    const auto report = accepted({
        R"([daemon]
daemon_grace = "90s"
sweep_interval = "15s"
metrics_listen = "127.0.0.1:9555"
[guards]
limit = "enforce"
[[service]]
name = "a"
to = ["10.0.0.1"]
)",
        R"([daemon]
daemon_grace = "0"
metrics_listen = ""
)",
        R"([guards]
limit = "off"
[[service]]
name = "b"
to = ["10.0.0.2"]
)"});
    const Policy& policy = *report.policy;
    assert_int_equal(policy.daemon.daemon_grace.count(), 0);
    assert_int_equal(policy.daemon.sweep_interval / 1s, 15);
    assert_string_equal(policy.daemon.metrics_listen.c_str(), "");
    assert_true(policy.mode(GuardKind::limit) == Mode::off);
    assert_int_equal(policy.services.size(), 2);
    assert_true(policy.services[0].mode == Mode::off);
    assert_string_equal(policy.services[0].origin.c_str(), "1.toml:7");
    assert_string_equal(policy.services[1].origin.c_str(), "3.toml:3");
}

/// Targets that look alike and are no conflict.
void neighbours_are_lawful(void**) {
    struct Case {
        const char* what;
        const char* first;
        const char* second;
    };
    for (const Case& c : std::array{
             Case{"nested prefixes", "10.0.0.0/8", "10.1.0.0/16"},
             Case{"same ports, nested prefixes", "10.0.0.0/8:80", "10.0.0.5:80"},
             Case{"a range and any-port", "10.0.0.5:80", "10.0.0.5"},
             Case{"all nameable ports and any-port", "10.0.0.5:1-65535", "10.0.0.5"},
             Case{"neighbouring ranges", "10.0.0.5:80-89", "10.0.0.5:90-99"},
             Case{"same address bits, other length", "10.0.0.0/8:80", "10.0.0.0/9:80"},
             Case{"IPv4 inside ::/0", "::/0", "0.0.0.0/0"},
         }) {
        print_message("# %s\n", c.what);
        const auto report = accepted({fmt::format("[[service]]\nname='a'\nto=['{}']\n", c.first),
                                      fmt::format("[[service]]\nname='b'\nto=['{}']\n", c.second)});
        assert_string_equal(report.warnings.text().c_str(), "");
    }
}

std::string many_services(std::size_t count, std::size_t targets_each) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += fmt::format("[[service]]\nname = \"s{}\"\nto = [", i);
        for (std::size_t j = 0; j < targets_each; ++j)
            text += fmt::format("\"10.{}.{}.{}:80\",", i / 256, i % 256, j);
        text += "]\n";
    }
    return text;
}

void at_the_limits(void**) {
    assert_int_equal(accepted({many_services(1023, 16)}).policy->services.size(), 1023);
    assert_int_equal(accepted({many_services(64, 256)}).policy->services.size(), 64);
    std::string ranges = "[[service]]\nname='a'\nto=['10.0.0.5',";
    for (int port = 0; port < 15; ++port)
        ranges += fmt::format("'10.0.0.5:{}',", 80 + 2 * port);
    accepted({ranges + "]\n[[service]]\nname='b'\nto=['10.0.0.0/8']\n"});
}

void warnings(void**) {
    struct Case {
        const char* text;
        const char* wanted;
    };
    for (const Case& c : std::array{
             Case{
                 "[[service]]\nname='a'\nto=['10.0.0.5:80',\n'10.0.0.5:70-90']\n",
                 "1.toml:4: key service.to: \"10.0.0.5:70-90\" repeats \"10.0.0.5:80\" of the same "
                 "service (1.toml:3)"},
             Case{"[[service]]\nname='a'\nto=['10.0.0.5',\n'10.0.0.5']\n",
                  "1.toml:4: key service.to: \"10.0.0.5\" repeats \"10.0.0.5\" of the same service "
                  "(1.toml:3)"},
             Case{"[[service]]\nname='a'\nto=['10.0.0.5']\nmode='enforce'\n",
                  "1.toml:4: key service.mode: enforces nothing: the service has no limit"},
             Case{"[[service]]\nname='a'\nto=['10.0.0.5']\non_limit='again'\n",
                  "1.toml:4: key service.on_limit: has no effect: the service has no limit"},
             Case{"[guards]\nlimit='enforce'\n[[service]]\nname='a'\nto=['10.0.0.5']\n", ""},
             Case{"[[service]]\nname='a'\nto=['db.x:80',\n'db.x:70-90']\n",
                  "1.toml:4: key service.to: \"db.x:70-90\" repeats \"db.x:80\" of the same "
                  "service (1.toml:3)"},
         })
        assert_string_equal(accepted({c.text}).warnings.text().c_str(), c.wanted);
}

/// Warnings of lines in a service that is otherwise right; they begin on line 4.
void pointless_keys(void**) {
    struct Case {
        const char* lines;
        const char* wanted; ///< from the line's number on
    };
    for (const Case& c : std::array{
             Case{"max_connections=5\nmode='enforce'", ""},
             Case{"max_connections_total=5\nmode='enforce'\non_limit='again'", ""},
             Case{"max_per_consumer=5\nmode='enforce'", ""},
             Case{"max_connect_rate=5\nmode='enforce'", ""},
             Case{"connect_timeout='5s'\nmode='enforce'", ""},
             Case{"max_connections=5\nmax_per_consumer=5", ""},
             Case{"max_connections=5\nmax_connections_total=5", ""},
             Case{"max_connections=5\nmax_per_consumer=6",
                  "5: key service.max_per_consumer: 6 is above max_connections, 5"},
             Case{"max_connections_total=5\nmax_per_consumer=6",
                  "5: key service.max_per_consumer: 6 is above max_connections_total, 5"},
             Case{"from=['u',\n'u']", "5: key service.from: \"u\" is repeated"},
             Case{"breaker.slow=5",
                  "4: key service.breaker.slow: has no effect: slow_connect is not set"},
             Case{"breaker.slow=0\nbreaker.slow_connect='1s'",
                  "5: key service.breaker.slow_connect: has no effect: slow is 0"},
             Case{"breaker.reset=5",
                  "4: key service.breaker.reset: has no effect: reset_within is not set"},
             Case{"breaker.reset=0\nbreaker.reset_within='1s'",
                  "5: key service.breaker.reset_within: has no effect: reset is 0"},
             Case{"breaker.slow_connect='1s'\nbreaker.reset_within='1s'", ""},
             Case{"breaker.mode='enforce'\nbreaker.timed_out=0\nbreaker.refused=0\n"
                  "breaker.unreachable=0\nbreaker.half_open_flow=0",
                  "4: key service.breaker.mode: never opens: no kind of failure has a threshold"},
             Case{"breaker.mode='enforce'\nbreaker.timed_out=0\nbreaker.refused=0\n"
                  "breaker.unreachable=0\nbreaker.half_open_flow=0\nbreaker.slow_connect='1s'",
                  ""},
             Case{"breaker.ramp=0\nbreaker.ramp_start=5",
                  "5: key service.breaker.ramp_start: has no effect: ramp is 0"},
             Case{"half_open.mode='enforce'",
                  "4: key service.half_open.mode: enforces nothing: action is \"report\""},
             Case{"half_open.mode='enforce'\nhalf_open.action='reset'", ""},
             Case{"ports.mode='enforce'\nports.relief=[]",
                  "4: key service.ports.mode: enforces nothing: relief is empty"},
             Case{"ports.mode='enforce'\nports.relief=['flip']", ""},
             Case{"connect_timeout='1s'\nbreaker.slow_connect='1s'",
                  "5: key service.breaker.slow_connect: has no effect: connect_timeout ends a "
                  "connect before it is slow"},
         }) {
        const auto text = fmt::format("[[service]]\nname='a'\nto=['10.0.0.5']\n{}\n", c.lines);
        const std::string wanted = c.wanted[0] == '\0' ? "" : std::string("1.toml:") + c.wanted;
        assert_string_equal(accepted({text}).warnings.text().c_str(), wanted.c_str());
    }
}

/// The installed example with the settings in its comments taken for real.
std::string uncommented_example() {
    std::string text;
    std::istringstream lines{std::string(kExamplePolicy)};
    for (std::string line; std::getline(lines, line);) {
        const bool setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        text += line.substr(setting ? 1 : 0) + "\n";
    }
    return text;
}

void reliefs(void**) {
    const auto report = accepted({R"(
[guards]
ports = "enforce"
[ports]
relief = ["widen", "flip"]
[[service]]
name = "a"
to = ["10.0.0.1"]
[[service]]
name = "b"
to = ["10.0.0.2"]
ports = { relief = ["tw_reuse", "spread"], mode = "observe", source_pool = ["10.0.0.3", "fd00::3", "10.0.0.3"] }
[[service]]
name = "c"
to = ["10.0.0.3"]
ports = { relief = [] }
[[service]]
name = "d"
to = ["10.0.0.4"]
mode = "off"
)",
                                  "[ports]\nrelief = ['flip']\n"});
    assert_string_equal(report.warnings.text().c_str(), "");
    assert_true(report.policy->mode(GuardKind::ports) == Mode::enforce);
    const auto flip = Reliefs().with(Relief::flip);
    assert_true(report.policy->ports.relief == flip); // the later file
    const std::vector<Address> pool{parse_address("10.0.0.3").value(),
                                    parse_address("fd00::3").value()};
    const PortRule wanted[] = {
        {Mode::enforce, flip, {}},
        {Mode::observe, Reliefs().with(Relief::tw_reuse).with(Relief::spread), pool},
        {Mode::enforce, {}, {}},
        {Mode::off, flip, {}}};
    for (std::size_t i = 0; i < std::size(wanted); ++i)
        assert_true(report.policy->services.at(i).ports == wanted[i]);
}

void the_installed_example(void**) {
    const auto as_installed = accepted({kExamplePolicy});
    assert_true(*as_installed.policy == Policy{});
    const auto used = accepted({uncommented_example()});
    assert_string_equal(used.warnings.text().c_str(), "");
    assert_true(used.policy->daemon == DaemonOptions{});
    assert_true(used.policy->governor == GovernorOptions{});
    assert_true(used.policy->mode(GuardKind::limit) == Mode::observe);
    assert_true(used.policy->mode(GuardKind::breaker) == Mode::observe);
    assert_int_equal(used.policy->services.size(), 1);
    assert_int_equal(used.policy->services[0].max_connections.value_or(0), 100);
}

/// The ```toml blocks of docs/configuration.md.
std::vector<std::string> reference_examples() {
    std::vector<std::string> blocks;
    std::istringstream lines{std::string(kReference)};
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
        if (line == "```toml")
            blocks.emplace_back();
        else if (inside && line != "```")
            blocks.back() += line + "\n";
        inside = line == "```toml" || (inside && line != "```");
    }
    return blocks;
}

void the_reference_tells_the_truth(void**) {
    const auto blocks = reference_examples();
    assert_int_equal(blocks.size(), 13);
    for (const std::string& block : blocks)
        assert_string_equal(accepted({block}).warnings.text().c_str(), "");
    const Policy matching = *accepted({blocks.back()}).policy;
    const auto here = rules_at(matching, *parse_prefix("10.0.0.5"));
    std::string services;
    for (const PortSpan& span : here.rules.front().spans)
        services += fmt::format("{}={} ", span.first, here.candidates(span).at(0).service);
    assert_string_equal(services.c_str(), "0=1 80=3 81=1 400=2 500=1 ");
}

} // namespace

TEST_GROUP(policy) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_the_default),
        cmocka_unit_test(daemon_options),
        cmocka_unit_test(zero_grace),
        cmocka_unit_test(service_fields),
        cmocka_unit_test(service_limits),
        cmocka_unit_test(breaker_keys),
        cmocka_unit_test(half_open_keys),
        cmocka_unit_test(governor_options),
        cmocka_unit_test(files_combine),
        cmocka_unit_test(neighbours_are_lawful),
        cmocka_unit_test(at_the_limits),
        cmocka_unit_test(warnings),
        cmocka_unit_test(pointless_keys),
        cmocka_unit_test(reliefs),
        cmocka_unit_test(the_installed_example),
        cmocka_unit_test(the_reference_tells_the_truth),
    };
    return cmocka_run_group_tests_name("policy", tests, nullptr, nullptr);
}

} // namespace test_policy
