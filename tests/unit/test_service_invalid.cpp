// SPDX-License-Identifier: Apache-2.0
// daemon/config: what can be wrong with consumers, DNS names, limits and the breaker of a service.
#include <array>
#include <string>

#include "tests/harness/group.h"
#include "tests/unit/invalid_policy.h"

namespace test_service_invalid {

namespace {

using namespace ballast;
using test::Case;
using test::check;
using test::service;
using test::target;

/// A key of half_open, on line 5.
std::string half_open(const std::string& lines) {
    return service("[service.half_open]\n" + lines + "\n");
}

/// A key of the breaker, on line 5.
std::string breaker(const std::string& lines) {
    return service("[service.breaker]\n" + lines + "\n");
}

void dns_names(void**) {
    const std::string label(64, 'a');
    for (const Case& c : std::array{
             Case{target("'db_1.internal:5432'"), 3, "service.to",
                  "\"db_1.internal\" is neither an address nor a DNS name"},
             Case{target("'10.0.0.1',\n'-db.internal'"), 4, "service.to",
                  "\"-db.internal\" is neither"},
             Case{target("'db-.internal'"), 3, "service.to", "is neither"},
             Case{target("'db..internal'"), 3, "service.to", "is neither"},
             Case{target("'" + label + "'"), 3, "service.to", "is neither"},
             Case{target("'*.internal'"), 3, "service.to", "\"*.internal\" is neither"},
             Case{target("'1O.0.0.5:80'"), 3, "service.to", "\"1O.0.0.5\" is neither"},
             Case{target("'10.0.0.300:80'"), 3, "service.to",
                  "\"10.0.0.300\" is not an IPv4 or IPv6 address"},
             Case{target("'db.internal:0'"), 3, "service.to", "\"0\" is not a port"},
             Case{target("'db.internal:5010-5000'"), 3, "service.to", "ends before it begins"},
             Case{target("'db.internal:postgres'"), 3, "service.to", "\"postgres\" is not a port"},
             Case{target("'db.internal/24'"), 3, "service.to",
                  "\"db.internal\" is not an IPv4 or IPv6 address"},
             Case{target("'http://db.internal'"), 3, "service.to", "is not"},
             Case{target("\"db.\\u0000\""), 3, "service.to", "\"db.\\x00\" is neither"},
         })
        check(c);
}

void consumers(void**) {
    const std::string longest(128, 'a');
    for (const Case& c : std::array{
             Case{service("from = 'app.service'\n"), 4, "service.from",
                  "\"app.service\" (a string) is not an array of strings such as"},
             Case{service("from = []\n"), 4, "service.from", "empty; wanted an array of strings"},
             Case{service("from = [1]\n"), 4, "service.from", "1 (an integer) is not a string"},
             Case{service("from = ['']\n"), 4, "service.from", "\"\" names nobody"},
             Case{service("from = ['a',\n'system.slice/a']\n"), 5, "service.from",
                  "has a \"/\" but does not begin with one; wanted a unit name"},
             Case{service("from = ['/a/']\n"), 4, "service.from", "has an empty part"},
             Case{service("from = ['/a//b']\n"), 4, "service.from", "has an empty part"},
             Case{service("from = ['/a/../b']\n"), 4, "service.from", "\"..\""},
             Case{service("from = ['..']\n"), 4, "service.from", "\"..\""},
             Case{service("from = ['app-[0-9].service']\n"), 4, "service.from",
                  "has \"[\"; only * and ? stand for other characters"},
             Case{service("from = [\"a\\u0000\"]\n"), 4, "service.from", "\"a\\x00\" has a"},
             Case{service("from = ['" + longest + "']\n"), 4, "service.from",
                  "has 128 characters, more than 127"},
         })
        check(c);
}

void ports(void**) {
    for (const Case& c : std::array{
             Case{service("[service.ports]\nrelief = ['flap']\n"), 5, "service.ports.relief",
                  "\"flap\" (a string) is not one of flip, own_range, spread, tw_reuse, widen, "
                  "reap, "
                  "refuse"},
             Case{service("[service.ports]\nrelief = 'flip'\n"), 5, "service.ports.relief",
                  "\"flip\" (a string) is not an array"},
             Case{service("[service.ports]\nreliefs = []\n"), 5, "service.ports.reliefs",
                  "did you mean \"relief\"?"},
             Case{service("[service.ports]\nrelief = ['spread']\n"), 5, "service.ports.relief",
                  "spread needs source_pool"},
             Case{service("[service.ports]\nsource_pool = ['10.0.0.3',\n'db']\n"), 6,
                  "service.ports.source_pool", "\"db\" (a string) is not an address of this host"},
             Case{service("ports = 'flip'\n"), 4, "service.ports", "is not a table"},
         })
        check(c);
}

void limits(void**) {
    for (const Case& c : std::array{
             Case{service("max_connections_total = 0\n"), 4, "service.max_connections_total",
                  "0 is not in 1..1000000"},
             Case{service("max_connections_total = 1000001\n"), 4, "service.max_connections_total",
                  "1000001 is not in 1..1000000"},
             Case{service("max_connections = 10\nmax_connections_total = 9\n"), 5,
                  "service.max_connections_total", "9 is below max_connections, 10"},
             Case{service("max_connections_total = 9\nmax_connections = 10\n"), 4,
                  "service.max_connections_total", "9 is below max_connections, 10"},
             Case{service("max_per_consumer = 0\n"), 4, "service.max_per_consumer",
                  "0 is not in 1..1000000"},
             Case{service("max_per_consumer = '10%'\n"), 4, "service.max_per_consumer",
                  "\"10%\" (a string) is not an integer in 1..1000000"},
             Case{service("max_connect_rate = 0\n"), 4, "service.max_connect_rate",
                  "0 is not in 1..1000000"},
             Case{service("max_connect_rate = '5/s'\n"), 4, "service.max_connect_rate",
                  "is not an integer"},
             Case{service("burst = 5\n"), 4, "service.burst", "needs max_connect_rate"},
             Case{service("max_connect_rate = 5\nburst = 0\n"), 5, "service.burst",
                  "0 is not in 1..1000000"},
             Case{service("max_connect_rate = 5\nburst = 1000001\n"), 5, "service.burst",
                  "1000001 is not in 1..1000000"},
             Case{service("connect_timeout = '999ms'\n"), 4, "service.connect_timeout",
                  "\"999ms\" is not in 1s..5m"},
             Case{service("connect_timeout = 0\n"), 4, "service.connect_timeout",
                  "0 (an integer) is not a duration such as \"60s\", in 1s..5m"},
             Case{service("connect_timeout = '6m'\n"), 4, "service.connect_timeout",
                  "\"6m\" is not in 1s..5m"},
         })
        check(c);
}

void breakers(void**) {
    for (const Case& c : std::array{
             Case{breaker("mode = 'closed'"), 5, "service.breaker.mode",
                  "\"closed\" is not one of off, observe, enforce"},
             Case{breaker("window = '999ms'"), 5, "service.breaker.window",
                  "\"999ms\" is not in 1s..10m"},
             Case{breaker("window = 10"), 5, "service.breaker.window",
                  "10 (an integer) is not a duration such as"},
             Case{breaker("timed_out = -1"), 5, "service.breaker.timed_out",
                  "-1 is not in 0..65535"},
             Case{breaker("refused = 65536"), 5, "service.breaker.refused",
                  "65536 is not in 0..65535"},
             Case{breaker("unreachable = '5'"), 5, "service.breaker.unreachable",
                  "\"5\" (a string) is not an integer in 0..65535"},
             Case{breaker("slow = true"), 5, "service.breaker.slow", "is not an integer"},
             Case{breaker("\nreset = 70000"), 6, "service.breaker.reset",
                  "70000 is not in 0..65535"},
             Case{breaker("half_open_flow = 0.5"), 5, "service.breaker.half_open_flow",
                  "0.5 (a float) is not an integer"},
             Case{breaker("slow_connect = '6m'"), 5, "service.breaker.slow_connect",
                  "\"6m\" is not in 0, or 1ms..5m"},
             Case{breaker("reset_within = 5"), 5, "service.breaker.reset_within",
                  "5 (an integer) is not a duration such as \"60s\", in 0, or 1ms..5m"},
             Case{breaker("open_for = '99ms'"), 5, "service.breaker.open_for",
                  "\"99ms\" is not in 100ms..1h"},
             Case{breaker("open_for = '2h'"), 5, "service.breaker.open_for",
                  "\"2h\" is not in 100ms..1h"},
             Case{breaker("open_max = '25h'"), 5, "service.breaker.open_max",
                  "\"25h\" is not in 100ms..1d"},
             Case{breaker("open_max = '9s'\nopen_for = '10s'"), 5, "service.breaker.open_max",
                  "9s is below open_for, 10s"},
             Case{breaker("open_max = '100ms'"), 5, "service.breaker.open_max",
                  "100ms is below open_for, 500ms"},
             Case{breaker("failure_ratio = 1.5"), 5, "service.breaker.failure_ratio",
                  "1.5 is not in 0..1"},
             Case{breaker("failure_ratio = 0.004"), 5, "service.breaker.failure_ratio",
                  "0.004 is not 0 or in 0.01..1"},
             Case{breaker("probes = 0"), 5, "service.breaker.probes", "0 is not in 1..100"},
             Case{breaker("probes = 101"), 5, "service.breaker.probes", "101 is not in 1..100"},
             Case{breaker("ramp = '50ms'"), 5, "service.breaker.ramp",
                  "\"50ms\" is not in 0, or 100ms..1h"},
             Case{breaker("ramp_start = 0"), 5, "service.breaker.ramp_start", "0 is not in 1..100"},
             Case{breaker("ramp_start = 101"), 5, "service.breaker.ramp_start",
                  "101 is not in 1..100"},
             Case{breaker("ramp_start = '10%'"), 5, "service.breaker.ramp_start",
                  "\"10%\" (a string) is not an integer in 1..100"},
             Case{service("breaker = { window = '1s', probes = 'x' }\n"), 4,
                  "service.breaker.probes", "is not an integer"},
         })
        check(c);
}

void half_open_flows(void**) {
    for (const Case& c : std::array{
             Case{half_open("mode = 'reset'"), 5, "service.half_open.mode",
                  "\"reset\" is not one of off, observe, enforce"},
             Case{half_open("action = 'kill'"), 5, "service.half_open.action",
                  "\"kill\" is not one of report, reset"},
             Case{half_open("\nconfirm_retransmits = 1"), 6,
                  "service.half_open.confirm_retransmits", "1 is not in 2..10"},
             Case{half_open("confirm_retransmits = 11"), 5, "service.half_open.confirm_retransmits",
                  "11 is not in 2..10"},
             Case{half_open("confirm_retransmits = '3'"), 5,
                  "service.half_open.confirm_retransmits", "is not an integer in 2..10"},
             Case{half_open("response_timeout = '999ms'"), 5, "service.half_open.response_timeout",
                  "\"999ms\" is not in 0, or 1s..1d"},
             Case{half_open("response_timeout = 30"), 5, "service.half_open.response_timeout",
                  "30 (an integer) is not a duration such as"},
             Case{half_open("reset_kinds = ['path_down', 'refused_late']"), 5,
                  "service.half_open.reset_kinds", "\"refused_late\" (a string) is not one of"},
             Case{half_open("reset_kinds = 'path_down'"), 5, "service.half_open.reset_kinds",
                  "is not an array of strings"},
             Case{half_open("path_down_after = 0"), 5, "service.half_open.path_down_after",
                  "is not a duration"},
             Case{half_open("witness = 'active'"), 5, "service.half_open.witness",
                  "\"active\" is not one of passive, connect"},
             Case{half_open("actions = 'reset'"), 5, "service.half_open.actions",
                  "did you mean \"action\"?"},
             Case{service("half_open = 'off'\n"), 4, "service.half_open", "is not a table"},
             Case{"[guards]\nhalf_open = 'on'\n", 2, "guards.half_open",
                  "\"on\" is not one of off, observe, enforce"},
         })
        check(c);
}

void keepalive(void**) {
    const auto table = [](const std::string& lines) {
        return service("[service.keepalive]\n" + lines + "\n");
    };
    for (const Case& c : std::array{
             Case{service("keepalive = 'on'\n"), 4, "service.keepalive",
                  "\"on\" is not one of auto, off; or wanted a table"},
             Case{service("keepalive = 60\n"), 4, "service.keepalive",
                  "60 (an integer) is neither \"auto\", \"off\" nor a table"},
             Case{service("keepalive_start = '500ms'\n"), 4, "service.keepalive_start",
                  "\"500ms\" is not in 1s..9h"},
             Case{service("keepalive_max = '59s'\n"), 4, "service.keepalive_max",
                  "\"59s\" is less than keepalive_start, \"1m\""},
             Case{service("keepalive_max = '10h'\n"), 4, "service.keepalive_max",
                  "\"10h\" is not in 1s..9h"},
             Case{table("idle = '60s'\ninterval = '3s'"), 6, "service.keepalive.interval",
                  "9 probes, 3s apart, end a connection after 27s without an answer; 30s at least"},
             Case{table("idle = '60s'\ncount = 2"), 6, "service.keepalive.count",
                  "2 probes, 10s apart, end a connection after 20s without an answer"},
             Case{service("keepalive_start = '1500ms'\n"), 4, "service.keepalive_start",
                  "\"1500ms\" is not a whole number of seconds"},
             Case{table("mode = 'auto'"), 5, "service.keepalive.mode",
                  "\"auto\" is not one of off, observe, enforce"},
             Case{table("idle = '10h'"), 5, "service.keepalive.idle", "\"10h\" is not in 1s..9h"},
             Case{table("idle = 60"), 5, "service.keepalive.idle",
                  "60 (an integer) is not a duration such as"},
             Case{table("idle = '60s'\ninterval = '2h'"), 6, "service.keepalive.interval",
                  "\"2h\" is not in 1s..1h"},
             Case{table("idle = '60s'\ncount = 128"), 6, "service.keepalive.count",
                  "128 is not in 1..127"},
             Case{table("count = 3"), 5, "service.keepalive.count", "needs idle"},
             Case{table("interval = '3s'"), 5, "service.keepalive.interval", "needs idle"},
             Case{table("idel = '60s'"), 5, "service.keepalive.idel", "did you mean \"idle\"?"},
             Case{table("learn_prefix_ipv4 = 33"), 5, "service.keepalive.learn_prefix_ipv4",
                  "33 is not in 0..32"},
             Case{table("learn_prefix_ipv4 = -1"), 5, "service.keepalive.learn_prefix_ipv4",
                  "-1 is not in 0..32"},
             Case{table("learn_prefix_ipv6 = 129"), 5, "service.keepalive.learn_prefix_ipv6",
                  "129 is not in 0..128"},
             Case{table("learn_prefix_ipv4 = '/24'"), 5, "service.keepalive.learn_prefix_ipv4",
                  "\"/24\" (a string) is not an integer in 0..32"},
             Case{table("learn_prefix_ipv5 = 24"), 5, "service.keepalive.learn_prefix_ipv5",
                  "did you mean \"learn_prefix_ipv4\"?"},
             Case{table("idle = '60s'\nlearn_prefix_ipv4 = 24"), 6,
                  "service.keepalive.learn_prefix_ipv4", "has no meaning beside idle"},
             Case{service("learn_prefix_ipv4 = 24\n"), 4, "service.learn_prefix_ipv4",
                  "not a key of the policy"},
             Case{"[guards]\nkeepalive = 'auto'\n", 2, "guards.keepalive",
                  "\"auto\" is not one of off, observe, enforce"},
         })
        check(c);
}

} // namespace

TEST_GROUP(service_invalid) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(dns_names), cmocka_unit_test(consumers), cmocka_unit_test(limits),
        cmocka_unit_test(ports),     cmocka_unit_test(breakers),  cmocka_unit_test(half_open_flows),
        cmocka_unit_test(keepalive),
    };
    return cmocka_run_group_tests_name("service_invalid", tests, nullptr, nullptr);
}

} // namespace test_service_invalid
