// SPDX-License-Identifier: Apache-2.0
// daemon/api/health: the state of a destination, the join, the order.
#include <array>
#include <string>

#include "daemon/model/health.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_health {

namespace {

using namespace ballast;
using namespace ballast;

Endpoint at(std::string_view text) {
    return parse_endpoint(text).value();
}

DestinationRow governed(std::string_view endpoint, std::string service, std::uint32_t in_use,
                        std::optional<std::uint32_t> max, Mode mode = Mode::enforce) {
    DestinationRow row;
    row.endpoint = at(endpoint);
    row.service = std::move(service);
    row.in_use = in_use;
    row.max_connections = max;
    row.mode = mode;
    return row;
}

PeerRow sockets(std::string_view endpoint, std::string service, std::uint32_t connections) {
    PeerRow row;
    row.endpoint = at(endpoint);
    row.service = std::move(service);
    row.connections = row.established = connections;
    return row;
}

PeerRow unanswered() {
    PeerRow row = sockets("10.0.0.5:80", "web", 2);
    row.established = 0;
    row.connecting = row.retransmitting = 2;
    return row;
}

PeerRow retransmitting(std::uint32_t connections) {
    PeerRow row = sockets("10.0.0.5:80", "web", connections);
    row.retransmitting = 1;
    return row;
}

PeerRow first_syn() {
    PeerRow row = sockets("10.0.0.5:80", "web", 1);
    row.established = 0;
    row.connecting = 1;
    return row;
}

DestinationRow drifted(std::uint32_t in_use) {
    DestinationRow row = governed("10.0.0.5:80", "web", in_use, 10);
    row.drift = -1;
    return row;
}

DestinationRow web(std::uint32_t in_use, std::optional<std::uint32_t> max,
                   Mode mode = Mode::enforce) {
    return governed("10.0.0.5:80", "web", in_use, max, mode);
}

void states(void**) {
    struct Case {
        std::optional<DestinationRow> destination;
        std::optional<PeerRow> peer;
        const char* state;
        const char* reason;
    };
    const auto none = std::nullopt;
    const PeerRow one = sockets("10.0.0.5:80", "web", 1);
    for (const Case& c : std::array{
             Case{web(0, 10), none, "idle", "no_connections"},
             Case{web(1, 10), one, "ok", "within_limit"},
             Case{web(1, none), one, "ok", "counted_only"},
             Case{web(9, 1, Mode::off), one, "ok", "guard_off"},
             Case{none, one, "ok", "not_governed"},
             Case{web(8, 10), one, "ok", "within_limit"},
             Case{web(9, 10), one, "near limit", "above_90_percent"},
             Case{web(10, 10), one, "at limit", "limit_refusing"},
             Case{web(10, 10, Mode::observe), one, "at limit", "limit_observed"},
             Case{web(1, 1), one, "at limit", "limit_refusing"},
             Case{web(11, 10), one, "over limit", "limit_refusing"},
             Case{web(11, 10, Mode::observe), one, "over limit", "limit_observed"},
             Case{drifted(1), one, "drift", "count_differs"},
             Case{drifted(10), one, "at limit", "limit_refusing"},
             Case{web(1, 10), retransmitting(1), "retransmitting", "unacknowledged"},
             Case{none, retransmitting(1), "retransmitting", "unacknowledged"},
             Case{drifted(1), retransmitting(1), "retransmitting", "unacknowledged"},
             Case{web(10, 10), retransmitting(1), "at limit", "limit_refusing"},
             Case{web(10, 10), unanswered(), "unreachable", "syn_unanswered"},
             Case{none, unanswered(), "unreachable", "syn_unanswered"},
             Case{web(1, 10), first_syn(), "ok", "within_limit"},
             Case{web(4'000'000'000u, 4'294'967'295u), one, "near limit", "above_90_percent"},
         }) {
        std::vector<DestinationRow> destinations;
        std::vector<PeerRow> peers;
        if (c.destination)
            destinations.push_back(*c.destination);
        if (c.peer)
            peers.push_back(*c.peer);
        const auto rows = join_health(destinations, peers, {});
        assert_int_equal(rows.size(), 1);
        assert_string_equal(std::string(name_of(rows[0].state)).c_str(), c.state);
        assert_string_equal(std::string(reason_of(rows[0])).c_str(), c.reason);
    }
}

BreakerRow breaker(Mode mode, BreakerState state, BreakerForce forced = BreakerForce::none) {
    BreakerRow row;
    row.endpoint = *parse_endpoint("10.0.0.5:80");
    row.service = "web";
    row.mode = mode;
    row.state = state;
    row.forced = forced;
    return row;
}

/// Whatever else is true of the destination: nobody gets through.
void a_breaker_that_refuses_comes_first(void**) {
    struct Case {
        BreakerRow breaker;
        const char* state;
        const char* reason;
    };
    using enum BreakerState;
    for (const Case& c : std::array{
             Case{breaker(Mode::enforce, open), "breaker open", "breaker_refusing"},
             Case{breaker(Mode::enforce, half_open), "breaker open", "breaker_refusing"},
             Case{breaker(Mode::enforce, ramp), "idle", "no_connections"},
             Case{breaker(Mode::enforce, closed), "idle", "no_connections"},
             Case{breaker(Mode::observe, open), "idle", "no_connections"},
             Case{breaker(Mode::observe, closed, BreakerForce::open), "breaker open",
                  "forced_open"},
             Case{breaker(Mode::enforce, open, BreakerForce::closed), "idle", "no_connections"},
         }) {
        const std::vector<DestinationRow> destinations{web(0, 10),
                                                       governed("10.0.0.6:80", "full", 11, 10)};
        const std::vector<BreakerRow> breakers{c.breaker};
        const auto rows = join_health(destinations, {}, breakers);
        const auto& row = rows.at(rows.at(0).service() == "web" ? 0 : 1);
        assert_string_equal(std::string(name_of(row.state)).c_str(), c.state);
        assert_string_equal(std::string(reason_of(row)).c_str(), c.reason);
        assert_int_equal(rows.at(0).service() == "web", row.state == HealthState::breaker_open);
    }
}

/// "ENDPOINT SERVICE CONNECTIONS", one line a row.
std::string shown(const std::vector<HealthRow>& rows) {
    std::string text;
    for (const HealthRow& row : rows)
        text += fmt::format("{} {} {}\n", row.endpoint().text(),
                            row.service().empty() ? "-" : row.service(), row.connections());
    return text;
}

void worst_first_then_busiest(void**) {
    const std::vector<DestinationRow> destinations{
        governed("10.0.0.1:1", "calm", 2, 10), governed("10.0.0.2:1", "full", 10, 10),
        governed("10.0.0.3:1", "idle", 0, 10), governed("10.0.0.4:1", "over", 11, 10)};
    const std::vector<PeerRow> peers{
        sockets("10.0.0.1:1", "calm", 2),  sockets("10.0.0.2:1", "full", 10),
        sockets("10.0.0.4:1", "over", 11), sockets("10.0.0.9:1", "", 500),
        sockets("10.0.0.8:1", "", 2),      sockets("[2001:db8::1]:1", "", 2)};
    assert_string_equal(shown(join_health(destinations, peers, {})).c_str(), "10.0.0.4:1 over 11\n"
                                                                             "10.0.0.2:1 full 10\n"
                                                                             "10.0.0.9:1 - 500\n"
                                                                             "10.0.0.1:1 calm 2\n"
                                                                             "10.0.0.8:1 - 2\n"
                                                                             "[2001:db8::1]:1 - 2\n"
                                                                             "10.0.0.3:1 idle 0\n");
}

void sockets_are_counted_once(void**) {
    // a policy change left reservations of the old service on the endpoint
    const std::vector<DestinationRow> destinations{governed("10.0.0.5:80", "old", 1, 10),
                                                   governed("10.0.0.5:80", "web", 2, 10),
                                                   governed("10.0.0.5:81", "web", 4, 10)};
    const std::vector<PeerRow> peers{sockets("10.0.0.5:80", "web", 3)};
    assert_string_equal(shown(join_health(destinations, peers, {})).c_str(), "10.0.0.5:80 web 3\n"
                                                                             "10.0.0.5:80 old 0\n"
                                                                             "10.0.0.5:81 web 0\n");
    // and a sweep that ran before the policy knows of no service
    const std::vector<PeerRow> earlier{sockets("10.0.0.5:81", "", 3)};
    assert_string_equal(shown(join_health({destinations[2]}, earlier, {})).c_str(),
                        "10.0.0.5:81 web 3\n");
}

void states_are_counted(void**) {
    const std::vector<DestinationRow> destinations{web(10, 10), web(0, 10), web(0, 10)};
    const auto counts = count_states(join_health(destinations, {}, {}));
    assert_int_equal(counts[static_cast<std::size_t>(HealthState::at_limit)], 1);
    assert_int_equal(counts[static_cast<std::size_t>(HealthState::idle)], 2);
    assert_int_equal(counts[static_cast<std::size_t>(HealthState::ok)], 0);
}

void names_read_back(void**) {
    for (std::size_t i = 0; i < kHealthStates; ++i) {
        const auto state = static_cast<HealthState>(i);
        assert_true(health_state_named(name_of(state)) == state);
    }
    assert_false(health_state_named("at_limit").has_value());
}

} // namespace

TEST_GROUP(health) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(states),
        cmocka_unit_test(a_breaker_that_refuses_comes_first),
        cmocka_unit_test(worst_first_then_busiest),
        cmocka_unit_test(sockets_are_counted_once),
        cmocka_unit_test(states_are_counted),
        cmocka_unit_test(names_read_back),
    };
    return cmocka_run_group_tests_name("health", tests, nullptr, nullptr);
}

} // namespace test_health
