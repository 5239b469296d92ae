// SPDX-License-Identifier: Apache-2.0
// daemon/config: each thing that can be wrong, with the line, key and words of its error.
#include <array>
#include <cstring>
#include <string>

#include "tests/harness/group.h"
#include "tests/unit/invalid_policy.h"

namespace test_policy_invalid {

namespace {

using namespace ballast;
using test::Case;
using test::check;
using test::named;
using test::service;
using test::target;

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
             Case{"[breaker]\n", 1, "breaker",
                  "known here: daemon, guards, ports, governor, listeners, service, listener"},
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
             Case{service("form = ['x']\n"), 4, "service.form", "did you mean \"from\"?"},
             Case{"governor = 1\n", 1, "governor", "is not a table, written [governor]"},
             Case{"[governor]\nobserver_fault = 0.5\n", 2, "governor.observer_fault",
                  "known here: actions_per_minute, "},
             Case{service("breaker = 'off'\n"), 4, "service.breaker",
                  "\"off\" (a string) is not a table, written [breaker]"},
             Case{service("[[service.breaker]]\n"), 4, "service.breaker",
                  "an array is not a table"},
             Case{service("[service.breaker]\nrefusd = 1\n"), 5, "service.breaker.refusd",
                  "did you mean \"refused\"?"},
             Case{service("breaker = { threshold = 1 }\n"), 4, "service.breaker.threshold",
                  "known here: mode, window, "},
             Case{service("breaker.open_for = '1s'\nbreaker.opne_max = '1s'\n"), 5,
                  "service.breaker.opne_max", "did you mean \"open_max\"?"},
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
             Case{"[daemon]\nresolve_every = '999ms'\n", 2, "daemon.resolve_every",
                  "\"999ms\" is not in 1s..1h"},
             Case{"[daemon]\nresolve_every = 30\n", 2, "daemon.resolve_every",
                  "30 (an integer) is not a duration"},
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

void governor_section(void**) {
    for (const Case& c : std::array{
             Case{"[guards]\nbreaker = 'on'\n", 2, "guards.breaker",
                  "\"on\" is not one of off, observe, enforce"},
             Case{"[guards]\nbreaker = {}\n", 2, "guards.breaker", "a table is not a string"},
             Case{"[governor]\nactions_per_minute = 0\n", 2, "governor.actions_per_minute",
                  "0 is not in 1..100000"},
             Case{"[governor]\nactions_per_minute = 100001\n", 2, "governor.actions_per_minute",
                  "100001 is not in 1..100000"},
             Case{"[governor]\nactions_per_minute = 1.5\n", 2, "governor.actions_per_minute",
                  "1.5 (a float) is not an integer in 1..100000"},
             Case{"[governor]\n\nbreaker_opens_per_minute = -1\n", 3,
                  "governor.breaker_opens_per_minute", "-1 is not in 1..100000"},
             Case{"[governor]\nbreaker_opens_per_minute = '1'\n", 2,
                  "governor.breaker_opens_per_minute", "\"1\" (a string) is not an integer"},
             Case{"[governor]\nobserver_fault_ratio = 0.04\n", 2, "governor.observer_fault_ratio",
                  "0.04 is not in 0.05..1"},
             Case{"[governor]\nobserver_fault_ratio = 50\n", 2, "governor.observer_fault_ratio",
                  "50 is not in 0.05..1"},
             Case{"[governor]\nobserver_fault_ratio = nan\n", 2, "governor.observer_fault_ratio",
                  "nan is not in 0.05..1"},
             Case{"[governor]\nobserver_fault_ratio = '50%'\n", 2, "governor.observer_fault_ratio",
                  "\"50%\" (a string) is not a number in 0.05..1"},
             Case{"[governor]\nobserver_fault_ratio = true\n", 2, "governor.observer_fault_ratio",
                  "true (a boolean) is not a number"},
             Case{"[governor]\nobserver_fault_window = '999ms'\n", 2,
                  "governor.observer_fault_window", "\"999ms\" is not in 1s..10m"},
             Case{"[governor]\nobserver_fault_window = '11m'\n", 2,
                  "governor.observer_fault_window", "\"11m\" is not in 1s..10m"},
             Case{"[governor]\nrelease_after = '2h'\n", 2, "governor.release_after",
                  "\"2h\" is not in 0, or 100ms..1h"},
             Case{"[governor]\nrelease_after = '99ms'\n", 2, "governor.release_after",
                  "\"99ms\" is not in 0, or 100ms..1h"},
             Case{"[governor]\n\ndry_run = 'yes'\n", 3, "governor.dry_run",
                  "\"yes\" (a string) is not true or false"},
             Case{"[governor]\ndry_run = 1\n", 2, "governor.dry_run",
                  "1 (an integer) is not true or false"},
             Case{"[governor]\ndryrun = true\n", 2, "governor.dryrun", "did you mean \"dry_run\"?"},
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

void two_files(void**) {
    const auto report = parse_policy(
        {{"policy.toml", service("")},
         {"policy.d/10.toml", "# mine\n" + test::pair_of("'10.0.0.1'", "'10.0.0.1'")}});
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
to = ["x y", "10.0.0.300"]
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

} // namespace

TEST_GROUP(policy_invalid) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(syntax),
        cmocka_unit_test(syntax_has_a_column),
        cmocka_unit_test(keys_and_types),
        cmocka_unit_test(daemon_section),
        cmocka_unit_test(governor_section),
        cmocka_unit_test(service_section),
        cmocka_unit_test(targets),
        cmocka_unit_test(two_files),
        cmocka_unit_test(all_are_reported_in_order),
        cmocka_unit_test(errors_are_bounded),
    };
    return cmocka_run_group_tests_name("policy_invalid", tests, nullptr, nullptr);
}

} // namespace test_policy_invalid
