// SPDX-License-Identifier: Apache-2.0
// daemon/guards/ports/port_book: a tuple's state, and what is said of it and when, in made-up time.
#include "daemon/guards/ports/port_book.h"

#include <string>

#include "daemon/model/port_relief.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_port_book {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::PortBook;

constexpr std::uint32_t netns = 4026531840;

/// A host with one tuple, and passes a second apart.
class Host {
public:
    Host() { space_.netns = netns, space_.low = 32768, space_.high = 60999; }

    PortSpace& space() { return space_; }

    /// `used` ports, even ones first, of which `minis` wait and `ended` began to since the last
    /// pass. Returns the codes of what is said.
    std::string pass(std::uint32_t used, std::uint32_t minis = 0, std::uint32_t ended = 0) {
        PortCount count;
        count.pass = ++pass_;
        count.began = now_ += 1s;
        count.since = 1s;
        count.spaces.emplace(netns, space_);
        TupleCount tuple;
        tuple.key = {netns, parse_address("10.0.0.2").value(),
                     parse_endpoint("10.0.0.9:80").value()};
        tuple.used.even = std::min(used, space_.capacity().even);
        tuple.used.odd = used - tuple.used.even;
        tuple.established = used - minis - close_wait;
        tuple.close_wait = close_wait;
        tuple.consumer = 7;
        tuple.time_wait = minis - fin_wait2;
        tuple.fin_wait2 = fin_wait2;
        tuple.ended = ended;
        tuple.ends.at(7) = minis;
        if (used != 0)
            count.tuples.push_back(tuple);
        std::string said;
        for (const auto& finding : book.read(count, now_, name)) {
            last = finding.evidence;
            said += std::string(said.empty() ? "" : " ") + std::string(name_of(finding.reason));
        }
        return said;
    }

    [[nodiscard]] PortRow row() const { return book.rows().at(0); }

    PortBook book;
    std::uint32_t close_wait = 0; ///< of those in use
    std::uint32_t fin_wait2 = 0;  ///< of the mini-sockets
    std::string last;             ///< evidence

private:
    static std::string name(std::uint64_t cgroup) {
        return fmt::format("/unit-{}.service", cgroup);
    }
    PortSpace space_;
    std::uint32_t pass_ = 0;
    PortBook::Monotonic now_{1h};
};

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

void who_binds_before_connect_is_named_once(void**) {
    Host host;
    host.space().bound = PortBook::bound_from - 1;
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
        cmocka_unit_test(who_binds_before_connect_is_named_once),
        cmocka_unit_test(what_is_never_closed_is_a_leak),
        cmocka_unit_test(what_is_closed_late_is_none),
        cmocka_unit_test(reliefs_name_what_helps),
        cmocka_unit_test(churn_is_reported_once),
        cmocka_unit_test(peers_that_do_not_close_are_reported),
    };
    return cmocka_run_group_tests_name("port_book", tests, nullptr, nullptr);
}

} // namespace test_port_book
