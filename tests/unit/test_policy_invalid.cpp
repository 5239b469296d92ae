// SPDX-License-Identifier: Apache-2.0
// daemon/config: each thing that can be wrong, with the line, key and words of its error.
#include <array>
#include <cstring>
#include <string>

#include "daemon/config/policy_parser.h"
#include "tests/harness/cmocka.hpp"

namespace {

using namespace ballast;

/// A policy with exactly one error.
struct Case {
    std::string text;
    unsigned line;
    const char* key;
    const char* message; ///< some of it
};

void check(const Case& c) {
    const auto report = parse_policy({{"p.toml", c.text}});
    const auto& errors = report.errors.problems();
    const bool right = errors.size() == 1 && errors[0].line == c.line && errors[0].key == c.key &&
                       errors[0].message.find(c.message) != std::string::npos;
    if (!right)
        print_error("policy:\n%s\nwanted: line %u, key %s, \"%s\"\ngot:\n%s\n", c.text.c_str(),
                    c.line, c.key, c.message, report.errors.text().c_str());
    assert_true(right);
    assert_false(report.policy.has_value());
    assert_false(report.result().has_value());
}

/// Puts `lines` into a service that is otherwise right; `lines` begin on line 4.
std::string service(const std::string& lines) {
    return "[[service]]\nname = 'a'\nto = ['10.0.0.1']\n" + lines;
}

/// The same with `element` as its only target, on line 3.
std::string target(const std::string& element) {
    return "[[service]]\nname = 'a'\nto = [" + element + "]\n";
}

std::string named(const std::string& name) {
    return "[[service]]\nto = ['10.0.0.1']\nname = " + name + "\n";
}

void syntax(void**) {
    for (const Case& c : std::array{
             Case{"[daemon\n", 1, "", ""},
             Case{"\n\nx =\n", 3, "", "expected value"},
             Case{"[guards]\nlimit = 'off'\nlimit = 'off'\n", 3, "", "cannot redefine"},
             Case{"[guards]\n[daemon]\n[guards]\n", 3, "", "cannot redefine"},
             Case{service("max_connections = 99999999999999999999\n"), 4, "", "not representable"},
             Case{"# \xff\n", 1, "", "utf-8"},
             Case{"[guards]\nlimit = '\xc3\xa9'\n", 2, "", "outside of ASCII; only comments"},
             Case{"[service]\n[[service]]\n", 2, "", "cannot redefine"},
             Case{"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r = 1\n", 1, "", "more than 16 dots"},
         })
        check(c);
}

void syntax_has_a_column(void**) {
    const auto report = parse_policy({{"p.toml", "[guards]\nlimit = off\n"}});
    const std::string text = report.errors.text();
    assert_memory_equal(text.c_str(), "p.toml:2:", 9);
    assert_true(report.errors.problems().at(0).column > 8);
}

void keys_and_types(void**) {
    for (const Case& c : std::array{
             Case{"[deamon]\n", 1, "deamon", "did you mean \"daemon\"?"},
             Case{"\n[[services]]\n", 2, "services", "did you mean \"service\"?"},
             Case{"[breaker]\n", 1, "breaker", "known here: daemon, guards, service"},
             Case{"version = 1\n", 1, "version", "not a key of the policy"},
             Case{"daemon = 1\n", 1, "daemon", "1 (an integer) is not a table, written [daemon]"},
             Case{"guards = []\n", 1, "guards", "an array is not a table, written [guards]"},
             Case{"[[daemon]]\n", 1, "daemon", "an array is not a table"},
             Case{"[service]\n", 1, "service", "a table is not an array of tables"},
             Case{"service = 'x'\n", 1, "service", "\"x\" (a string) is not an array of tables"},
             Case{"service = [1]\n", 1, "service", "1 (an integer) is not a table"},
             Case{"[daemon]\ndaemon_grase = '1s'\n", 2, "daemon.daemon_grase",
                  "did you mean \"daemon_grace\"?"},
             Case{"[guards]\nlimits = 'off'\n", 2, "guards.limits", "did you mean \"limit\"?"},
             Case{service("max_conections = 1\n"), 4, "service.max_conections",
                  "did you mean \"max_connections\"?"},
             Case{service("mdoe = 'off'\n"), 4, "service.mdoe", "did you mean \"mode\"?"},
             Case{service("nade = 'x'\n"), 4, "service.nade", "did you mean \"name\"?"},
             Case{service("zz = 'x'\n"), 4, "service.zz", "known here: name, to, "},
             Case{service("from = 'x'\n"), 4, "service.from", "known here: name, to, "},
             Case{service("\"a\\nb\" = 1\n"), 4, "service.a\\x0ab", "not a key"},
             Case{service("mode.x = 'off'\n"), 4, "service.mode", "a table is not a string"},
         })
        check(c);
}

void daemon_section(void**) {
    for (const Case& c : std::array{
             Case{"[daemon]\ndaemon_grace = '999ms'\n", 2, "daemon.daemon_grace",
                  "\"999ms\" is not in 0, or 1s..1d"},
             Case{"[daemon]\ndaemon_grace = '25h'\n", 2, "daemon.daemon_grace",
                  "\"25h\" is not in 0, or 1s..1d"},
             Case{"[daemon]\ndaemon_grace = 60\n", 2, "daemon.daemon_grace",
                  "60 (an integer) is not a duration such as \"60s\", in 0, or 1s..1d"},
             Case{"[daemon]\ndaemon_grace = '60'\n", 2, "daemon.daemon_grace",
                  "\"60\" is not a duration; wanted a whole number and ms, s, m, h or d"},
             Case{"[daemon]\ndaemon_grace = '1m30s'\n", 2, "daemon.daemon_grace",
                  "\"1m30s\" is not a duration"},
             Case{"[daemon]\ndaemon_grace = '-1s'\n", 2, "daemon.daemon_grace", "not a duration"},
             Case{"[daemon]\ndaemon_grace = true\n", 2, "daemon.daemon_grace",
                  "true (a boolean) is not a duration"},
             Case{"[daemon]\ndaemon_grace = 0.0\n", 2, "daemon.daemon_grace", "(a float)"},
             Case{"[daemon]\ndaemon_grace = 10:00:00\n", 2, "daemon.daemon_grace",
                  "a date or time is not"},
             Case{"[daemon]\n\nsweep_interval = '0'\n", 3, "daemon.sweep_interval",
                  "\"0\" is not in 1s..1h"},
             Case{"[daemon]\nsweep_interval = 0\n", 2, "daemon.sweep_interval",
                  "0 (an integer) is not a duration such as \"60s\", in 1s..1h"},
             Case{"[daemon]\nsweep_interval = '61m'\n", 2, "daemon.sweep_interval",
                  "\"61m\" is not in 1s..1h"},
             Case{"[daemon]\ndestination_ttl = '9s'\n", 2, "daemon.destination_ttl",
                  "\"9s\" is not in 10s..7d"},
             Case{"[daemon]\ndestination_ttl = '8d'\n", 2, "daemon.destination_ttl",
                  "\"8d\" is not in 10s..7d"},
             Case{"[daemon]\nmetrics_listen = '0.0.0.0:9555'\n", 2, "daemon.metrics_listen",
                  "\"0.0.0.0:9555\" is not a loopback endpoint; wanted 127.0.0.1:PORT"},
             Case{"[daemon]\nmetrics_listen = '[2001:db8::5]:9555'\n", 2, "daemon.metrics_listen",
                  "not a loopback endpoint"},
             Case{"[daemon]\nmetrics_listen = '127.0.0.1'\n", 2, "daemon.metrics_listen",
                  "\"127.0.0.1\" is not ADDRESS:PORT"},
             Case{"[daemon]\nmetrics_listen = '127.0.0.1:0'\n", 2, "daemon.metrics_listen",
                  "\"0\" is not a port; wanted 1..65535"},
             Case{"[daemon]\nmetrics_listen = 'localhost:9555'\n", 2, "daemon.metrics_listen",
                  "\"localhost\" is not an IPv4 or IPv6 address"},
             Case{"[daemon]\nmetrics_listen = 9555\n", 2, "daemon.metrics_listen",
                  "9555 (an integer) is not a string"},
             Case{"[guards]\nlimit = 'enforced'\n", 2, "guards.limit",
                  "\"enforced\" is not one of off, observe, enforce; did you mean \"enforce\"?"},
             Case{"[guards]\nlimit = ''\n", 2, "guards.limit", "\"\" is not one of off, "},
             Case{"[guards]\nlimit = true\n", 2, "guards.limit",
                  "true (a boolean) is not a string"},
         })
        check(c);
}

void service_section(void**) {
    for (const Case& c : std::array{
             Case{"\n[[service]]\nto = ['10.0.0.1']\n", 2, "service.name", "missing"},
             Case{named("''"), 3, "service.name", "\"\" is not a name; wanted 1 to 63 of A-Z a-z"},
             Case{named("'a b'"), 3, "service.name", "\"a b\" is not a name"},
             Case{named("'a:b'"), 3, "service.name", "\"a:b\" is not a name"},
             Case{named("'a/b'"), 3, "service.name", "\"a/b\" is not a name"},
             Case{named("\"\\u00e9\""), 3, "service.name", "\"\\xc3\\xa9\" is not a name"},
             Case{named("\"a\\u0000\""), 3, "service.name", "\"a\\x00\" is not a name"},
             Case{named("'" + std::string(64, 'a') + "'"), 3, "service.name", "is not a name"},
             Case{named("7"), 3, "service.name", "7 (an integer) is not a string"},
             Case{service("max_connections = 0\n"), 4, "service.max_connections",
                  "0 is not in 1..1000000"},
             Case{service("max_connections = -1\n"), 4, "service.max_connections",
                  "-1 is not in 1..1000000"},
             Case{service("max_connections = 1_000_001\n"), 4, "service.max_connections",
                  "1000001 is not in 1..1000000"},
             Case{service("max_connections = 4294967297\n"), 4, "service.max_connections",
                  "4294967297 is not in 1..1000000"},
             Case{service("max_connections = '100'\n"), 4, "service.max_connections",
                  "\"100\" (a string) is not an integer in 1..1000000"},
             Case{service("max_connections = 1e2\n"), 4, "service.max_connections",
                  "(a float) is not an integer"},
             Case{service("on_limit = 'refuse'\n"), 4, "service.on_limit",
                  "\"refuse\" is not one of refused, again, unreachable; did you mean "
                  "\"refused\"?"},
             Case{service("on_limit = 1\n"), 4, "service.on_limit", "is not a string"},
             Case{service("mode = 'OBSERVE'\n"), 4, "service.mode",
                  "\"OBSERVE\" is not one of off, observe, enforce"},
             Case{service("\n\nmode = 'on'\n"), 6, "service.mode", "\"on\" is not one of"},
         })
        check(c);
}

void targets(void**) {
    for (const Case& c : std::array{
             Case{"[[service]]\nname = 'a'\n", 1, "service.to", "missing; wanted an array"},
             Case{target(""), 3, "service.to", "empty; wanted an array"},
             Case{"[[service]]\nname = 'a'\nto = '10.0.0.1'\n", 3, "service.to",
                  "\"10.0.0.1\" (a string) is not an array of strings such as"},
             Case{target("1"), 3, "service.to", "1 (an integer) is not a string"},
             Case{target("['10.0.0.1']"), 3, "service.to", "an array is not a string"},
             Case{target("\n'10.0.0.1',\n'10.0.0.5/8'"), 5, "service.to",
                  "\"10.0.0.5/8\" has host bits set; wanted 10.0.0.0/8 or 10.0.0.5"},
             Case{target("'2001:db8::5/32'"), 3, "service.to", "has host bits set"},
             Case{target("''"), 3, "service.to", "\"\" is not an IPv4 or IPv6 address"},
             Case{target("'db.example:5432'"), 3, "service.to",
                  "\"db.example\" is not an IPv4 or IPv6 address"},
             Case{target("'10.0.0.1:0'"), 3, "service.to", "\"0\" is not a port; wanted 1..65535"},
             Case{target("'10.0.0.1:65536'"), 3, "service.to", "\"65536\" is not a port"},
             Case{target("'10.0.0.1:90-80'"), 3, "service.to", "ends before it begins"},
             Case{target("'10.0.0.0/33'"), 3, "service.to", "no prefix length in 0..32"},
             Case{target("'2001:db8::/129'"), 3, "service.to", "no prefix length in 0..128"},
             Case{target("'2001:db8::5:443:'"), 3, "service.to", "not an IPv4 or IPv6 address"},
             Case{target("'[10.0.0.1]:80'"), 3, "service.to", "is not ADDRESS[/LENGTH]"},
             Case{target("'[2001:db8::5'"), 3, "service.to", "is not ADDRESS[/LENGTH]"},
             Case{target("'fe80::1%eth0'"), 3, "service.to", "not an IPv4 or IPv6 address"},
             Case{target("\"10.0.0.1\\u0000\""), 3, "service.to", "\"10.0.0.1\\x00\""},
         })
        check(c);
}

/// The second service's target begins on line 6.
std::string pair_of(const std::string& a, const std::string& b) {
    return "[[service]]\nname='a'\nto=[" + a + "]\n[[service]]\nname='b'\nto=[" + b + "]\n";
}

void conflicts(void**) {
    for (const Case& c : std::array{
             Case{service("[[service]]\nto = ['10.0.0.2']\nname = 'a'\n"), 6, "service.name",
                  "\"a\" is already defined at p.toml:2"},
             Case{pair_of("'10.0.0.1'", "'10.0.0.1'"), 6, "service.to",
                  "\"10.0.0.1\" of \"b\" is claimed by \"a\" too, as \"10.0.0.1\" (p.toml:3)"},
             Case{pair_of("'10.0.0.1'", "'10.0.0.1/32'"), 6, "service.to", "claimed by \"a\""},
             Case{pair_of("'10.0.0.1'", "'::ffff:10.0.0.1'"), 6, "service.to", "claimed by \"a\""},
             Case{pair_of("'10.0.0.1:80-90'", "'10.0.0.1:90-99'"), 6, "service.to",
                  "\"10.0.0.1:90-99\" of \"b\" is claimed by \"a\" too, as \"10.0.0.1:80-90\""},
             Case{pair_of("'10.0.0.1:90-99'", "'10.0.0.1:80-90'"), 6, "service.to",
                  "\"10.0.0.1:80-90\" of \"b\" is claimed by \"a\" too, as \"10.0.0.1:90-99\""},
             Case{pair_of("'10.0.0.0/8:1-65535'", "'10.0.0.0/8:80'"), 6, "service.to",
                  "claimed by \"a\""},
             Case{pair_of("'10.0.0.1:1-99',\n'10.0.0.1:80-85'", "'10.0.0.1:90'"), 7, "service.to",
                  "as \"10.0.0.1:1-99\" (p.toml:3)"},
             Case{pair_of("'::/0'", "'::/0'"), 6, "service.to", "\"::/0\" of \"b\""},
         })
        check(c);
}

void two_files(void**) {
    const auto report =
        parse_policy({{"policy.toml", service("")},
                      {"policy.d/10.toml", "# mine\n" + pair_of("'10.0.0.1'", "'10.0.0.1'")}});
    assert_string_equal(report.errors.text().c_str(),
                        "policy.d/10.toml:3: key service.name: \"a\" is already defined at "
                        "policy.toml:2; a service has one definition\n"
                        "policy.d/10.toml:7: key service.to: \"10.0.0.1\" of \"b\" is claimed by "
                        "\"a\" too, as \"10.0.0.1\" (policy.toml:3); one port of one prefix "
                        "belongs to one service");
}

void all_are_reported_in_order(void**) {
    const auto report = parse_policy({{"a.toml", R"([guards]
limit = "x"
[daemon]
daemon_grace = "x"
[[service]]
mode = "x"
max_connections = 0
name = "x y"
to = ["x", "y"]
z = 1
)"},
                                      {"b.toml", "x"},
                                      {"c.toml", "[guards]\nlimit = 1\n"}});
    std::string places;
    for (const PolicyProblem& problem : report.errors.problems())
        places += fmt::format("{}:{} ", problem.file, problem.line);
    assert_string_equal(places.c_str(),
                        "a.toml:2 a.toml:4 a.toml:6 a.toml:7 a.toml:8 a.toml:9 a.toml:9 a.toml:10 "
                        "b.toml:1 c.toml:2 ");
}

void errors_are_bounded(void**) {
    std::string text = "[guards]\n";
    for (int i = 0; i < 70; ++i)
        text += fmt::format("k{} = 1\n", i);
    const auto report = parse_policy({{"p.toml", text}});
    assert_int_equal(report.errors.problems().size(), kMaxProblems);
    assert_int_equal(report.errors.left_out(), 20);
    assert_non_null(strstr(report.result().error().text().c_str(), "\nand 20 more"));
}

std::string many_services(std::size_t count, std::size_t targets_each) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += fmt::format("[[service]]\nname='s{}'\nto=[", i);
        for (std::size_t j = 0; j < targets_each; ++j)
            text += fmt::format("'10.{}.{}.{}',", i / 256, i % 256, j);
        text += "]\n";
    }
    return text;
}

std::string many_ranges(int count) {
    std::string text = "[[service]]\nname='a'\nto=[\n";
    for (int i = 0; i < count; ++i)
        text += fmt::format("'10.0.0.1:{}',\n", 80 + 2 * i);
    return text + "]\n";
}

/// 15 ranges on a prefix, 15 others inside it: each by itself is lawful.
std::string crowded() {
    std::string text = many_ranges(15) + "[[service]]\nname='b'\nto=[\n";
    for (int i = 0; i < 15; ++i)
        text += fmt::format("'10.0.0.0/8:{}',\n", 1080 + 2 * i);
    return text + "]\n";
}

void over_the_limits(void**) {
    for (const Case& c : std::array{
             Case{many_services(1024, 1), 3070, "service",
                  "1024 services in all; at most 1023 are possible"},
             Case{many_services(64, 256) + "[[service]]\nname='x'\nto=['10.9.9.9']\n", 195,
                  "service.to", "16385 targets in all; at most 16384 are possible"},
             Case{many_ranges(16), 19, "service.to",
                  "\"10.0.0.1:110\" is one port range too many for 10.0.0.1; at most 15"},
             Case{crowded(), 4, "service.to",
                  "the ports of 10.0.0.1, with those of the shorter prefixes around it, fall into "
                  "61 parts; at most 32 are possible"},
         })
        check(c);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(syntax),
        cmocka_unit_test(syntax_has_a_column),
        cmocka_unit_test(keys_and_types),
        cmocka_unit_test(daemon_section),
        cmocka_unit_test(service_section),
        cmocka_unit_test(targets),
        cmocka_unit_test(conflicts),
        cmocka_unit_test(two_files),
        cmocka_unit_test(all_are_reported_in_order),
        cmocka_unit_test(errors_are_bounded),
        cmocka_unit_test(over_the_limits),
    };
    return cmocka_run_group_tests_name("policy_invalid", tests, nullptr, nullptr);
}
