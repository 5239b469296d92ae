// SPDX-License-Identifier: Apache-2.0
// daemon/api/filter and query: what a request may ask for, and which rows that are.
#include <array>
#include <chrono>
#include <cstring>
#include <string>

#include "daemon/api/query.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_filters {

namespace {

using namespace ballast;
using namespace ballast::api;

Endpoint at(std::string_view text) {
    return parse_endpoint(text).value();
}

void endpoints(void**) {
    struct Case {
        const char* filter;
        const char* endpoint;
        bool matches;
    };
    for (const Case& c : std::array{
             Case{"10.0.0.5:80", "10.0.0.5:80", true},
             Case{"10.0.0.5:80", "10.0.0.5:81", false},
             Case{"10.0.0.5:80", "10.0.0.6:80", false},
             Case{"10.0.0.5", "10.0.0.5:81", true},
             Case{"10.0.0.5", "10.0.0.6:81", false},
             Case{"10.0.0.0/8", "10.9.9.9:1", true},
             Case{"10.0.0.0/8", "11.0.0.0:1", false},
             Case{"0.0.0.0/0", "203.0.113.9:1", true},
             Case{"0.0.0.0/0", "[2001:db8::1]:1", false},
             Case{"[2001:db8::1]:443", "[2001:db8::1]:443", true},
             Case{"[2001:db8::1]:443", "[2001:db8::1]:444", false},
             Case{"2001:db8::/32", "[2001:db8::1]:444", true},
             Case{"::ffff:10.0.0.5", "10.0.0.5:1", true},
         }) {
        const auto filter = parse_endpoint_filter(c.filter);
        assert_true(filter.has_value());
        assert_int_equal(filter->matches(at(c.endpoint)), c.matches);
    }
    for (const char* bad : {"", "db", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5/8", "10.0.0.0/8:80"})
        assert_false(parse_endpoint_filter(bad).has_value());
}

void flow_states(void**) {
    struct Case {
        const char* given;
        const char* state;
    };
    for (const Case& c : std::array{Case{"ESTAB", "ESTAB"}, Case{"established", "ESTAB"},
                                    Case{"syn-sent", "SYN-SENT"}, Case{"Fin-Wait-1", "FIN-WAIT-1"}})
        assert_string_equal(parse_flow_state(c.given).value().c_str(), c.state);
    for (const char* bad : {"", "open", "SYN_SENT"})
        assert_false(parse_flow_state(bad).has_value());
}

FlowRow flow(std::string_view local, std::string_view remote, std::string state,
             std::string service) {
    FlowRow row;
    row.local = at(local);
    row.remote = at(remote);
    row.state = std::move(state);
    row.service = std::move(service);
    return row;
}

/// Known by the digit of their local port.
std::vector<FlowRow> flows() {
    std::vector<FlowRow> rows{flow("10.0.0.1:1", "10.0.0.5:80", "ESTAB", "web"),
                              flow("10.0.0.2:2", "10.0.0.5:81", "SYN-SENT", "api"),
                              flow("10.0.0.1:3", "10.0.0.6:4000", "ESTAB", "")};
    rows[2].direction = Direction::inbound;
    return rows;
}

void flow_filters(void**) {
    struct Case {
        QueryPairs query;
        const char* rows;
    };
    for (const Case& c : std::array{
             Case{{}, "123"},
             Case{{{"dest", "10.0.0.5"}}, "12"},
             Case{{{"dest", "10.0.0.5:81"}}, "2"},
             Case{{{"local", "10.0.0.1"}}, "13"},
             Case{{{"service", "web"}}, "1"},
             Case{{{"service", "we"}}, ""},
             Case{{{"state", "established"}}, "13"},
             Case{{{"direction", "inbound"}}, "3"},
             Case{{{"dest", "10.0.0.0/8"}, {"state", "estab"}, {"direction", "outbound"}}, "1"},
         }) {
        const auto query = parse_flow_query(c.query);
        assert_true(query.has_value());
        std::string matching;
        for (const FlowRow& row : flows())
            if (query->filter.matches(row))
                matching += std::to_string(row.local.port);
        assert_string_equal(matching.c_str(), c.rows);
    }
}

void health_filters(void**) {
    const PeerRow web{at("10.0.0.5:80"), "web", 1, 1, 0, 0, 0, 0, 0};
    const HealthRow row{nullptr, &web, HealthState::retransmitting};
    struct Case {
        QueryPairs query;
        bool matches;
    };
    for (const Case& c : std::array{
             Case{{}, true},
             Case{{{"dest", "10.0.0.0/24"}}, true},
             Case{{{"dest", "10.0.0.5:81"}}, false},
             Case{{{"service", "web"}}, true},
             Case{{{"service", "api"}}, false},
             Case{{{"state", "retransmitting"}}, true},
             Case{{{"state", "ok"}}, false},
             Case{{{"service", "web"}, {"state", "ok"}}, false},
         })
        assert_int_equal(parse_health_query(c.query).value().filter.matches(row), c.matches);
}

void limits(void**) {
    struct Case {
        const char* text;
        std::size_t limit; ///< 0: refused
    };
    for (const Case& c :
         std::array{Case{"1", 1}, Case{"10000", 10'000}, Case{"0", 0}, Case{"10001", 0},
                    Case{"-1", 0}, Case{"+5", 0}, Case{"5 ", 0}, Case{" 5", 0}, Case{"", 0},
                    Case{"0x10", 0}, Case{"99999999999999999999", 0}}) {
        const auto query = parse_limit_query({{"limit", c.text}});
        assert_int_equal(query ? query->limit : 0, c.limit);
    }
    assert_int_equal(parse_limit_query({}).value().limit, kDefaultListLimit);
}

void refusals(void**) {
    struct Case {
        QueryPairs query;
        const char* error;
    };
    for (const Case& c : std::array{
             Case{{{"colour", "red"}},
                  "unknown parameter \"colour\" (known: limit dest service "
                  "local state direction)"},
             Case{{{"Dest", "10.0.0.5"}},
                  "unknown parameter \"Dest\" (known: limit dest service "
                  "local state direction)"},
             Case{{{"dest", "10.0.0.5"}, {"dest", "10.0.0.5"}},
                  "parameter \"dest\" is given twice"},
             Case{{{"service", ""}}, "parameter \"service\": the name is empty"},
             Case{{{"direction", "both"}},
                  "parameter \"direction\": \"both\" is neither outbound nor inbound"},
             Case{{{"limit", "all"}},
                  "parameter \"limit\": \"all\" is not a number from 1 to 10000"},
             Case{{{"dest", "db"}},
                  "parameter \"dest\": \"db\" is not an endpoint, address or prefix (examples: "
                  "10.0.0.5:5432, [2001:db8::5]:5432, 10.0.0.5, 10.0.0.0/8)"},
         }) {
        const auto query = parse_flow_query(c.query);
        assert_false(query.has_value());
        assert_string_equal(query.error().text().c_str(), c.error);
    }
    assert_string_equal(
        parse_health_query({{"state", "bad"}}).error().text().c_str(),
        "parameter \"state\": \"bad\" is not a state (known: \"breaker open\" \"unreachable\" "
        "\"over limit\" \"at limit\" \"retransmitting\" \"drift\" \"near limit\" "
        "\"ok\" \"idle\")");
    assert_string_equal(parse_empty_query({{"a", ""}}).error().text().c_str(),
                        "unknown parameter \"a\" (this path takes none)");
    assert_true(parse_empty_query({}).has_value());
}

void finding_queries(void**) {
    const auto whole = parse_finding_query({{"since", "2024-05-01T05:00:00Z"},
                                            {"destination", "10.0.0.5:5432"},
                                            {"reason", "hook_lost"},
                                            {"limit", "7"}});
    assert_true(whole.has_value());
    assert_true(whole->since ==
                std::chrono::system_clock::time_point(std::chrono::seconds(1'714'539'600)));
    assert_false(whole->after.has_value());
    assert_string_equal(whole->destination->text().c_str(), "10.0.0.5");
    assert_true(whole->port == std::optional<std::uint16_t>(5432));
    assert_true(whole->reason == findings::Reason::hook_lost);
    assert_int_equal(whole->limit, 7);
    const auto none = parse_finding_query({});
    assert_int_equal(none->limit, kDefaultListLimit);
    assert_false(none->since || none->after || none->destination || none->port || none->reason);
    assert_true(parse_finding_query({{"since", "0"}})->after == std::optional<std::uint64_t>(0));
    assert_true(parse_finding_query({{"since", "9223372036854775807"}})->after ==
                std::optional<std::uint64_t>(9'223'372'036'854'775'807U));
    assert_false(parse_finding_query({{"destination", "2001:db8::/32"}})->port.has_value());
}

void finding_queries_that_are_refused(void**) {
    struct Case {
        QueryPairs query;
        const char* error;
    };
    for (const Case& c : {
             Case{{{"dest", "10.0.0.5"}},
                  "unknown parameter \"dest\" (known: limit since destination reason)"},
             Case{{{"since", "1"}, {"since", "2"}}, "parameter \"since\" is given twice"},
             Case{{{"since", "9223372036854775808"}},
                  "parameter \"since\": \"9223372036854775808\" is too large an id"},
             Case{{{"since", "2h"}},
                  "parameter \"since\": \"2h\" is not a time from 1970 to 2199, such as "
                  "\"2024-05-01T05:00:00Z\" (or the id of a finding)"},
         }) {
        const auto query = parse_finding_query(c.query);
        assert_false(query.has_value());
        assert_string_equal(query.error().text().c_str(), c.error);
    }
    assert_non_null(strstr(parse_finding_query({{"reason", "x"}}).error().text().c_str(),
                           "\"x\" is not a reason (known: limit_refusing limit_would_refuse"));
}

} // namespace

TEST_GROUP(filters) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(endpoints),       cmocka_unit_test(flow_states),
        cmocka_unit_test(flow_filters),    cmocka_unit_test(health_filters),
        cmocka_unit_test(limits),          cmocka_unit_test(refusals),
        cmocka_unit_test(finding_queries), cmocka_unit_test(finding_queries_that_are_refused),
    };
    return cmocka_run_group_tests_name("filters", tests, nullptr, nullptr);
}

} // namespace test_filters
