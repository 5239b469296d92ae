// SPDX-License-Identifier: Apache-2.0
// daemon/guards/ports/port_book: a tuple's state, and what is reported of it and when.
#include "daemon/guards/ports/port_book.h"

#include <string>

#include "daemon/model/port_relief.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"
#include "tests/unit/ports_host.h"

namespace test_port_book {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using Host = test::PortsHost;

void states_follow_from_use(void**) {
    struct Case {
        std::uint32_t used;
        PortState wanted;
    };
    for (const Case& c :
         {Case{1, PortState::ok}, Case{13'000, PortState::ok}, Case{13'692, PortState::ok},
          Case{13'693, PortState::knee}, Case{14'116, PortState::knee},
          Case{28'231, PortState::knee}, Case{28'232, PortState::exhausted}}) {
        Host host;
        host.pass(c.used);
        if (host.row().state != c.wanted)
            fail_msg("%u used: %s", c.used, std::string(name_of(host.row().state)).c_str());
    }
}

void poisoned_ports_are_a_state_and_no_capacity(void**) {
    Host host;
    host.space().poisoned = {1'412, 1'412};
    host.pass(10);
    assert_true(host.row().state == PortState::poisoned);
    assert_int_equal(host.row().capacity, 28'232 - 2'824);
    assert_true(relief_of(host.row()).find("2824") != std::string::npos);
    host.space().poisoned = {1'411, 1'411};
    host.pass(10);
    assert_true(host.row().state == PortState::ok);
}

/// The range shifted by one: the odd ports are searched first, and are free.
void a_shifted_range_has_no_knee(void**) {
    Host host;
    host.space().low = 32769;
    host.space().high = 61000;
    host.pass(14'116);
    assert_true(host.row().state == PortState::ok);
}

void growth_is_told_before_the_knee_and_once(void**) {
    Host host;
    std::string all;
    std::uint32_t used = 0;
    std::uint32_t told_at = 0;
    while (used < 28'000) {
        used += 500;
        const auto said = host.pass(used, used, 500);
        if (said == "ports_filling")
            told_at = used;
        all += said.empty() ? "" : said + ";";
    }
    assert_string_equal(all.c_str(), "ports_filling;ports_slow;churn;");
    assert_true(told_at > 0 && told_at < 5'000);
    assert_string_equal(host.pass(28'232, 28'232, 200).c_str(), "ports_exhausted");
    assert_string_equal(host.pass(28'232, 28'232, 0).c_str(), "");
}

void little_use_says_nothing_whatever_its_rate(void**) {
    Host host;
    for (int i = 0; i < 100; ++i)
        assert_string_equal(host.pass(400, 390, 100).c_str(), "");
    assert_false(host.book.is_any_foretold());
}

void it_is_over_after_a_quiet_minute(void**) {
    Host host;
    assert_string_equal(host.pass(14'116).c_str(), "ports_slow");
    for (int i = 0; i < 59; ++i)
        assert_string_equal(host.pass(100).c_str(), "");
    assert_string_equal(host.pass(100).c_str(), "ports_clear");
    assert_string_equal(host.pass(14'116).c_str(), "ports_slow");
}

/// It comes and goes about the threshold.
void a_tuple_that_wavers_is_told_once(void**) {
    Host host;
    assert_string_equal(host.pass(14'116).c_str(), "ports_slow");
    for (int i = 0; i < 500; ++i) {
        assert_string_equal(host.pass(i % 2 != 0 ? 14'116 : 13'000).c_str(), "");
    }
}

void a_tuple_whose_sockets_are_gone_is_over_too(void**) {
    Host host;
    host.pass(14'116);
    std::string said;
    for (int i = 0; i < 61; ++i)
        said += host.pass(0);
    assert_string_equal(said.c_str(), "ports_clear");
    assert_true(host.book.rows().empty());
}

void reliefs_name_what_helps(void**) {
    PortRow row;
    row.used = row.capacity = 1000;
    row.low = 32768;
    row.high = 60999;
    row.state = PortState::knee;
    assert_true(relief_of(row).find("\"32769 61000\"") != std::string::npos);
    row.high = 65535;
    assert_true(relief_of(row).find("\"32767 65534\"") != std::string::npos);
    row.state = PortState::exhausted;
    row.time_wait = 900;
    assert_true(relief_of(row).find("90% of its ports are in TIME_WAIT") != std::string::npos);
    row.time_wait = 0;
    row.close_wait = 700;
    assert_true(relief_of(row).find("700 are in CLOSE_WAIT") != std::string::npos);
}

/// The next pass is made before a tuple could be where the last one would not have foreseen it.
void passes_are_due_by_connects(void**) {
    struct Case {
        std::uint32_t used, wanted;
    };
    for (const Case& c : {Case{0, 7'058}, Case{10, 7'053}, Case{10'000, 2'058}, Case{14'000, 441},
                          Case{14'116, 7'058}, Case{28'000, 441}, Case{28'232, 7'058}}) {
        Host host;
        host.pass(c.used);
        if (host.book.allowance() != c.wanted)
            fail_msg("%u used: %u", c.used, host.book.allowance());
    }
    Host small;
    small.space().high = 32768 + 9;
    small.pass(3);
    assert_int_equal(small.book.allowance(), 16);
}

/// 300 a second for 10 s, none of them closed.
void a_pool_that_warms_up_is_no_trend(void**) {
    Host host;
    for (std::uint32_t i = 1; i <= 10; ++i)
        assert_string_equal(host.pass(300 * i).c_str(), "");
    for (int i = 0; i < 100; ++i)
        assert_string_equal(host.pass(3'000).c_str(), "");
    Host leak;
    std::string said;
    for (std::uint32_t i = 1; i <= 30; ++i)
        said += leak.pass(100 * i);
    assert_string_equal(said.c_str(), "ports_filling");
}

} // namespace

TEST_GROUP(port_book) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_from_use),
        cmocka_unit_test(poisoned_ports_are_a_state_and_no_capacity),
        cmocka_unit_test(a_shifted_range_has_no_knee),
        cmocka_unit_test(growth_is_told_before_the_knee_and_once),
        cmocka_unit_test(little_use_says_nothing_whatever_its_rate),
        cmocka_unit_test(it_is_over_after_a_quiet_minute),
        cmocka_unit_test(a_tuple_that_wavers_is_told_once),
        cmocka_unit_test(a_tuple_whose_sockets_are_gone_is_over_too),
        cmocka_unit_test(reliefs_name_what_helps),
        cmocka_unit_test(passes_are_due_by_connects),
        cmocka_unit_test(a_pool_that_warms_up_is_no_trend),
    };
    return cmocka_run_group_tests_name("port_book", tests, nullptr, nullptr);
}

} // namespace test_port_book
