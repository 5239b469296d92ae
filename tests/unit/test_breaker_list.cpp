// SPDX-License-Identifier: Apache-2.0
// daemon/api/breakers and query: which breakers are listed, in which order, how many there are.
#include <array>
#include <string>

#include "daemon/api/breakers.h"
#include "daemon/api/query.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_list {

namespace {

using namespace ballast;
using namespace ballast::api;

/// Known by the service's name; all at one endpoint unless told.
BreakerRow row(std::string service, BreakerState state, BreakerForce forced = BreakerForce::none,
               std::uint32_t timeouts = 0, std::uint32_t resets = 0) {
    BreakerRow made;
    made.endpoint = parse_endpoint("10.0.0.5:80").value();
    made.service = std::move(service);
    made.state = state;
    made.forced = forced;
    made.failures = {timeouts, 0, 0, 0, resets, 0};
    return made;
}

std::vector<BreakerRow> rows() {
    return {row("i", BreakerState::closed),
            row("h", BreakerState::closed, BreakerForce::none, 1),
            row("g", BreakerState::open, BreakerForce::closed),
            row("f", BreakerState::ramp),
            row("e", BreakerState::half_open),
            row("d", BreakerState::open),
            row("c", BreakerState::open),
            row("b", BreakerState::open, BreakerForce::none, 2, 2),
            row("a", BreakerState::closed, BreakerForce::open)};
}

std::string services(const std::vector<BreakerRow>& of) {
    std::string text;
    for (const BreakerRow& one : of)
        text += one.service;
    return text;
}

void sorted(void**) {
    auto made = rows();
    sort_breakers(made);
    assert_string_equal(services(made).c_str(), "abcdefghi");
}

void those_that_enforce_go_first(void**) {
    std::vector<BreakerRow> made{row("b", BreakerState::closed, BreakerForce::open),
                                 row("c", BreakerState::closed, BreakerForce::closed),
                                 row("a", BreakerState::ramp)};
    made[2].mode = Mode::enforce;
    sort_breakers(made);
    assert_string_equal(services(made).c_str(), "abc");
}

void endpoints_break_ties(void**) {
    std::vector<BreakerRow> made{row("b", BreakerState::open), row("a", BreakerState::open)};
    made[0].endpoint.port = 79;
    sort_breakers(made);
    assert_string_equal(services(made).c_str(), "ba");
}

void counted(void**) {
    const BreakerCounts counts = count_breakers(rows());
    const std::array<std::size_t, kBreakerStates> wanted{3, 4, 1, 1};
    for (std::size_t i = 0; i < kBreakerStates; ++i)
        assert_int_equal(counts.states.at(i), wanted.at(i));
    assert_int_equal(counts.forced_open, 1);
    assert_int_equal(counts.forced_closed, 1);
}

void filtered(void**) {
    struct Case {
        QueryPairs query;
        const char* services;
    };
    for (const Case& c : std::array{
             Case{{}, "ihgfedcba"},
             Case{{{"state", "half-open"}}, "e"},
             Case{{{"state", "closed"}}, "iha"},
             Case{{{"service", "c"}}, "c"},
             Case{{{"dest", "10.0.0.0/24"}, {"state", "ramp"}}, "f"},
             Case{{{"dest", "10.0.0.6"}}, ""},
         }) {
        const auto query = parse_breaker_query(c.query);
        assert_true(query.has_value());
        auto matching = rows();
        std::erase_if(matching, [&](const auto& r) { return !query->filter.matches(r); });
        assert_string_equal(services(matching).c_str(), c.services);
    }
}

void bad_queries(void**) {
    struct Case {
        QueryPairs query;
        const char* message;
    };
    for (const Case& c : std::array{
             Case{{{"state", "half_open"}}, R"(parameter "state": "half_open" is not a state)"},
             Case{{{"direction", "outbound"}}, R"(unknown parameter "direction")"},
         }) {
        const auto query = parse_breaker_query(c.query);
        assert_false(query.has_value());
        assert_string_equal(query.error().message().c_str(), c.message);
    }
}

void explain_queries(void**) {
    const auto query = parse_explain_query({{"from", "/"}, {"destination", "[2001:db8::5]:443"}});
    assert_true(query.has_value());
    assert_string_equal(query->destination.text().c_str(), "[2001:db8::5]:443");
    assert_string_equal(query->from.value().c_str(), "/");
    assert_false(parse_explain_query({{"destination", "10.0.0.5:80"}})->from.has_value());
}

void bad_explain_queries(void**) {
    const std::string longest = "/" + std::string(kMaxCgroupPath - 1, 'a');
    const std::pair<std::string, std::string> there{"destination", "10.0.0.5:80"};
    assert_true(parse_explain_query({there, {"from", longest}}).has_value());
    struct Case {
        QueryPairs query;
        const char* begins;
    };
    for (const Case& c : std::array{
             Case{{}, R"(parameter "destination" is missing)"},
             Case{{{"destination", "10.0.0.5"}}, R"(parameter "destination": )"},
             Case{{there, {"from", ""}}, R"(parameter "from": "" is not a cgroup's path)"},
             Case{{there, {"from", "a.service"}}, R"(parameter "from": "a.service" is not)"},
             Case{{there, {"from", "/a/"}}, R"(parameter "from": "/a/" is not)"},
             Case{{there, {"from", longest + "a"}}, R"(parameter "from": )"},
         }) {
        const auto query = parse_explain_query(c.query);
        assert_false(query.has_value());
        assert_true(query.error().message().starts_with(c.begins));
    }
}

} // namespace

TEST_GROUP(breaker_list) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(sorted),
        cmocka_unit_test(those_that_enforce_go_first),
        cmocka_unit_test(endpoints_break_ties),
        cmocka_unit_test(counted),
        cmocka_unit_test(filtered),
        cmocka_unit_test(bad_queries),
        cmocka_unit_test(explain_queries),
        cmocka_unit_test(bad_explain_queries),
    };
    return cmocka_run_group_tests_name("breaker_list", tests, nullptr, nullptr);
}

} // namespace test_breaker_list
