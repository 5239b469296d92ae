// SPDX-License-Identifier: Apache-2.0
// daemon/config: what valid policies become, how files combine, what is warned of.
#include <array>
#include <sstream>
#include <string>

#include "daemon/config/policy_parser.h"
#include "daemon/model/prefix_rules.h"
#include "policy_texts.h"
#include "tests/harness/cmocka.hpp"

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
)"});
    const DaemonOptions& daemon = report.policy->daemon;
    assert_int_equal(daemon.daemon_grace / 1s, 90);
    assert_int_equal(daemon.sweep_interval / 1s, 15);
    assert_int_equal(daemon.destination_ttl / 24h, 7);
    assert_string_equal(daemon.metrics_listen.c_str(), "[::1]:9555");
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
    assert_true(policy.limit_mode == Mode::off);
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
                  "1.toml:4: key service.mode: enforces nothing: the service has no "
                  "max_connections"},
             Case{"[[service]]\nname='a'\nto=['10.0.0.5']\non_limit='again'\n",
                  "1.toml:4: key service.on_limit: has no effect: the service has no "
                  "max_connections"},
             Case{"[guards]\nlimit='enforce'\n[[service]]\nname='a'\nto=['10.0.0.5']\n", ""},
         })
        assert_string_equal(accepted({c.text}).warnings.text().c_str(), c.wanted);
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

void the_installed_example(void**) {
    const auto as_installed = accepted({kExamplePolicy});
    assert_true(*as_installed.policy == Policy{});
    const auto used = accepted({uncommented_example()});
    assert_string_equal(used.warnings.text().c_str(), "");
    assert_true(used.policy->daemon == DaemonOptions{});
    assert_true(used.policy->limit_mode == Mode::observe);
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
    assert_int_equal(blocks.size(), 5);
    for (const std::string& block : blocks)
        assert_string_equal(accepted({block}).warnings.text().c_str(), "");
    const Policy matching = *accepted({blocks.back()}).policy;
    const auto spans = port_spans(matching, *parse_prefix("10.0.0.5"));
    const std::vector<PortSpan> wanted{{0, 1}, {80, 3}, {81, 1}, {400, 2}, {500, 1}};
    assert_true(spans == wanted);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_the_default),
        cmocka_unit_test(daemon_options),
        cmocka_unit_test(zero_grace),
        cmocka_unit_test(service_fields),
        cmocka_unit_test(files_combine),
        cmocka_unit_test(neighbours_are_lawful),
        cmocka_unit_test(at_the_limits),
        cmocka_unit_test(warnings),
        cmocka_unit_test(the_installed_example),
        cmocka_unit_test(the_reference_tells_the_truth),
    };
    return cmocka_run_group_tests_name("policy", tests, nullptr, nullptr);
}
