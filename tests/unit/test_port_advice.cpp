// SPDX-License-Identifier: Apache-2.0
// daemon/guards/ports/port_advice: what only people can mend is reported once, and not for less.
#include "daemon/guards/ports/port_advice.h"

#include <cstring>
#include <string>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/ports_host.h"

namespace test_port_advice {

namespace {

using namespace ballast;
using guards::PortAdvice;
using Host = test::PortsHost;

void who_binds_before_connect_is_named_once(void**) {
    Host host;
    host.space().bound = PortAdvice::bound_from - 1;
    host.space().poisoned = {25, 25};
    assert_string_equal(host.pass(10).c_str(), "");
    host.space().bound = 500;
    host.space().binder = 12;
    assert_string_equal(host.pass(10).c_str(), "bind_before_connect");
    assert_string_equal(host.last.c_str(), "connections=500 poisoned=50 of=28232 netns=4026531840 "
                                           "consumer=/unit-12.service");
    for (int i = 0; i < 200; ++i)
        assert_string_equal(host.pass(10).c_str(), "");
    host.space().bound = 0;
    for (int i = 0; i < 60; ++i)
        assert_string_equal(host.pass(10).c_str(), "");
    host.space().bound = 500;
    assert_string_equal(host.pass(10).c_str(), "bind_before_connect");
}

void what_is_never_closed_is_a_leak(void**) {
    Host host;
    std::string said;
    for (int i = 0; i <= 60; ++i) {
        host.close_wait = 64 + static_cast<std::uint32_t>(i) / 10;
        said += host.pass(100);
    }
    assert_string_equal(said.c_str(), "close_wait_leak");
    assert_true(host.last.find("close_wait=70") != std::string::npos);
    assert_true(host.last.find("consumer=/unit-7.service") != std::string::npos);
    for (int i = 0; i < 100; ++i)
        assert_string_equal(host.pass(100).c_str(), "");
}

/// A pool whose peer restarts: all are closed by it, and taken up and closed bit by bit, or not
/// before the morning.
void what_is_closed_late_is_none(void**) {
    Host idle;
    idle.close_wait = 500;
    for (int i = 0; i < 1000; ++i)
        assert_string_equal(idle.pass(600).c_str(), "");
    Host host;
    for (int i = 0; i < 300; ++i) {
        host.close_wait = 500 - static_cast<std::uint32_t>(i) / 50;
        assert_string_equal(host.pass(600).c_str(), "");
    }
}

/// 8,000 of 28,232 ports in TIME_WAIT, 130 more of them a second, and as many that end.
void churn_is_reported_once(void**) {
    Host host;
    for (int i = 0; i < 30; ++i) {
        const auto said = host.pass(8'000, 7'900, 130);
        assert_null(std::strstr(said.c_str(), "churn"));
    }
    assert_non_null(std::strstr(host.pass(8'000, 7'900, 130).c_str(), "churn"));
    assert_non_null(std::strstr(host.last.c_str(), "consumer=/unit-7.service"));
    for (int i = 0; i < 100; ++i)
        assert_null(std::strstr(host.pass(8'000, 7'900, 130).c_str(), "churn"));
    Host pool; // as many ports, held
    for (int i = 0; i < 60; ++i)
        assert_null(std::strstr(pool.pass(8'000, 1'000, 16).c_str(), "churn"));
}

void peers_that_do_not_close_are_reported(void**) {
    Host host;
    host.fin_wait2 = 80;
    for (int i = 0; i < 30; ++i)
        assert_string_equal(host.pass(500, 100, 1).c_str(), "");
    assert_string_equal(host.pass(500, 100, 1).c_str(), "fin_wait2_build_up");
    host.fin_wait2 = 10;
    for (int i = 0; i < 61; ++i)
        assert_string_equal(host.pass(500, 100, 1).c_str(), "");
    host.fin_wait2 = 80;
    for (int i = 0; i < 30; ++i)
        assert_string_equal(host.pass(500, 100, 1).c_str(), "");
    assert_string_equal(host.pass(500, 100, 1).c_str(), "fin_wait2_build_up");
}

/// Ten seconds each, so that 1,300 are open beside 7,800 in TIME_WAIT.
void who_closes_first_is_reported(void**) {
    Host host;
    std::string said;
    for (int i = 0; i < 200; ++i)
        said += host.pass(9'100, 7'800, 130);
    assert_non_null(std::strstr(said.c_str(), "closes_first"));
    assert_null(std::strstr(said.c_str(), "churn"));
    assert_ptr_equal(std::strstr(std::strstr(said.c_str(), "closes_first") + 1, "closes_first"),
                     nullptr);
    Host few; // a fifth of the ports
    for (int i = 0; i < 100; ++i)
        assert_null(std::strstr(few.pass(6'500, 5'600, 93).c_str(), "closes_first"));
}

void who_is_connected_to_itself_is_reported(void**) {
    Host host;
    host.self_connected = 1;
    assert_string_equal(host.pass(3).c_str(), "self_connect");
    for (int i = 0; i < 100; ++i)
        assert_string_equal(host.pass(3).c_str(), "");
    host.self_connected = 0;
    for (int i = 0; i < 61; ++i)
        assert_string_equal(host.pass(3).c_str(), "");
    host.self_connected = 1;
    assert_string_equal(host.pass(3).c_str(), "self_connect");
}

void orphans_are_reported_at_half_of_their_bound(void**) {
    Host host;
    host.orphans = {.count = 4'095, .most = 8'192};
    assert_string_equal(host.pass(3).c_str(), "");
    host.orphans.count = 4'096;
    assert_string_equal(host.pass(3).c_str(), "orphans");
    assert_string_equal(host.last.c_str(), "orphans=4096 of=8192");
    assert_string_equal(host.pass(3).c_str(), "");
    host.orphans = {.count = 10, .most = 0}; // not known
    for (int i = 0; i < 61; ++i)
        assert_string_equal(host.pass(3).c_str(), "");
}

void buckets_of_time_wait_are_reported_when_they_are_used_up(void**) {
    Host host;
    host.space().most_minis = 1'000;
    host.space().minis = 989;
    assert_string_equal(host.pass(3).c_str(), "");
    host.space().minis = 990;
    assert_string_equal(host.pass(3).c_str(), "tw_bucket_overflow");
    assert_string_equal(host.last.c_str(), "time_wait=990 of=1000 netns=4026531840");
    assert_string_equal(host.pass(3).c_str(), "");
}

/// As often as systemd starts the service again.
void who_has_the_port_of_a_service_is_reported_once(void**) {
    Host host;
    const TakenPort one{.netns = test::port_netns,
                        .port = 33'060,
                        .pid = 4'711,
                        .comm = "mysqld",
                        .cgroup = 3,
                        .holder = {test::port_netns, parse_address("10.0.0.2").value(),
                                   parse_endpoint("10.0.0.9:443").value()},
                        .holder_cgroup = 9};
    host.taken = {one};
    assert_string_equal(host.pass(3).c_str(), "port_taken");
    assert_string_equal(host.last.c_str(),
                        "port=33060 wanted_by=/unit-3.service pid=4711 comm=mysqld "
                        "held_by=/unit-9.service flow=10.0.0.2:33060->10.0.0.9:443 "
                        "netns=4026531840");
    for (int i = 0; i < 120; ++i) {
        host.taken.clear();
        if (i % 10 == 0)
            host.taken = {one};
        assert_string_equal(host.pass(3).c_str(), "");
    }
    auto other = one;
    other.port = 33'061;
    other.comm = "x y\nfinding";
    host.taken = {one, other};
    assert_string_equal(host.pass(3).c_str(), "port_taken");
    assert_non_null(std::strstr(host.last.c_str(), " comm=x\\x20y\\x0afinding "));
}

} // namespace

TEST_GROUP(port_advice) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(who_binds_before_connect_is_named_once),
        cmocka_unit_test(what_is_never_closed_is_a_leak),
        cmocka_unit_test(what_is_closed_late_is_none),
        cmocka_unit_test(churn_is_reported_once),
        cmocka_unit_test(who_closes_first_is_reported),
        cmocka_unit_test(peers_that_do_not_close_are_reported),
        cmocka_unit_test(who_is_connected_to_itself_is_reported),
        cmocka_unit_test(orphans_are_reported_at_half_of_their_bound),
        cmocka_unit_test(buckets_of_time_wait_are_reported_when_they_are_used_up),
        cmocka_unit_test(who_has_the_port_of_a_service_is_reported_once),
    };
    return cmocka_run_group_tests_name("port_advice", tests, nullptr, nullptr);
}

} // namespace test_port_advice
