// SPDX-License-Identifier: Apache-2.0
// daemon/resolve: when a name is asked for, what an answer changes, and that nobody waits.
#include <string>
#include <thread>

#include <poll.h>

#include "daemon/resolve/name_book.h"
#include "daemon/resolve/resolver.h"
#include "daemon/resolve/schedule.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_names {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

constexpr Schedule::Time start{1000s};

Lookup found(const std::string& host, const std::vector<const char*>& addresses) {
    Lookup out{host, {}, {}};
    for (const char* text : addresses)
        out.addresses.push_back(*parse_address(text));
    return out;
}

Lookup failed(const std::string& host, const std::string& error) {
    return {host, {}, error};
}

std::string joined(const std::vector<std::string>& hosts) {
    std::string out;
    for (const auto& host : hosts)
        out += host + " ";
    return out;
}

void check_due(Schedule& schedule, Schedule::Time now, const char* wanted) {
    assert_string_equal(joined(schedule.take_due(now)).c_str(), wanted);
}

void new_names_are_due_at_once(void**) {
    Schedule schedule;
    assert_false(schedule.next().has_value());
    schedule.follow({"b", "a"}, start);
    assert_true(schedule.next() == start);
    check_due(schedule, start, "a b ");
    check_due(schedule, start + 1h, ""); // under way, however long that takes
    assert_false(schedule.next().has_value());
}

void a_good_answer_is_asked_for_at_the_interval(void**) {
    Schedule schedule;
    schedule.set_interval(20s, start);
    schedule.follow({"a"}, start);
    check_due(schedule, start, "a ");
    schedule.answered("a", true, start + 1s);
    assert_true(schedule.next() == start + 21s);
    check_due(schedule, start + 20999ms, "");
    check_due(schedule, start + 21s, "a ");
}

void a_failing_name_is_retried_sooner(void**) {
    Schedule schedule;
    schedule.set_interval(20s, start);
    schedule.follow({"a", "b"}, start);
    check_due(schedule, start, "a b ");
    schedule.answered("a", false, start);
    schedule.answered("b", true, start);
    check_due(schedule, start + 5s, "a ");
    schedule.answered("a", true, start + 5s);
    check_due(schedule, start + 24s, "b ");
    check_due(schedule, start + 25s, "a ");
    schedule.set_interval(2s, start + 25s);
    schedule.answered("a", false, start + 25s);
    assert_true(schedule.next() == start + 27s); // not later than a good one
}

void a_shorter_interval_holds_at_once(void**) {
    Schedule schedule;
    schedule.set_interval(1h, start);
    schedule.follow({"a"}, start);
    check_due(schedule, start, "a ");
    schedule.answered("a", true, start);
    schedule.set_interval(10s, start + 1s);
    check_due(schedule, start + 11s, "a ");
}

void names_come_and_go(void**) {
    Schedule schedule;
    schedule.follow({"a", "b"}, start);
    check_due(schedule, start, "a b ");
    schedule.answered("a", true, start);
    schedule.follow({"a", "c"}, start + 1s);
    check_due(schedule, start + 1s, "c ");
    schedule.answered("b", true, start + 1s); // was under way when it left
    schedule.answered("c", true, start + 1s);
    check_due(schedule, start + 30s, "a ");
    check_due(schedule, start + 31s, "c ");
}

void an_answer_changes_or_does_not(void**) {
    NameBook book;
    book.follow({"a"});
    Heard heard = book.hear(found("a", {"10.0.0.2", "10.0.0.1"}));
    assert_true(heard.addresses && heard.answer && !heard.recovered);
    heard = book.hear(found("a", {"10.0.0.1", "10.0.0.2", "10.0.0.1"}));
    assert_false(heard.addresses || heard.answer || heard.recovered || heard.failed);
    heard = book.hear(found("a", {"10.0.0.1"}));
    assert_true(heard.addresses);
    assert_int_equal(book.answers().at("a").addresses.size(), 1);
    heard = book.hear(found("gone", {"10.0.0.1"}));
    assert_false(heard.addresses || heard.answer);
    assert_int_equal(book.answers().size(), 1);
}

void only_more_beyond_the_cap(void**) {
    NameBook book;
    book.follow({"a"});
    Lookup many{"a", {}, {}};
    for (std::size_t i = 0; i < kMaxNameAnswers; ++i)
        many.addresses.push_back(*parse_address(fmt::format("10.0.0.{}", i)));
    (void)book.hear(many);
    many.addresses.push_back(*parse_address("10.0.0.200"));
    const Heard heard = book.hear(many);
    assert_true(heard.answer);
    assert_false(heard.addresses);
    assert_int_equal(book.answers().at("a").left_out, 1);
}

void a_failure_keeps_the_last_answer_and_is_told_once(void**) {
    NameBook book;
    book.follow({"a"});
    assert_true(book.hear(failed("a", "not known")).failed);
    assert_int_equal(book.answers().size(), 0);
    Heard heard = book.hear(found("a", {"10.0.0.1"}));
    assert_true(heard.recovered && heard.addresses);
    heard = book.hear(failed("a", "not known"));
    assert_true(heard.failed && !heard.addresses && !heard.answer);
    assert_false(book.hear(failed("a", "not known")).failed);
    assert_true(book.hear(failed("a", "try again")).failed);
    assert_string_equal(book.failing().at("a").c_str(), "try again");
    assert_int_equal(book.answers().at("a").addresses.size(), 1);
    heard = book.hear(found("a", {"10.0.0.1"}));
    assert_true(heard.recovered && !heard.addresses && !heard.answer);
    assert_true(book.failing().empty());
}

void earlier_answers_give_way_to_new_ones(void**) {
    NameBook book;
    book.follow({"a", "b"});
    (void)book.hear(found("b", {"10.0.0.2"}));
    book.recall({{"a", answer_of({*parse_address("10.0.0.1")})},
                 {"b", answer_of({*parse_address("10.0.0.9")})},
                 {"c", answer_of({*parse_address("10.0.0.3")})}});
    assert_int_equal(book.answers().size(), 2);
    assert_string_equal(book.answers().at("a").addresses[0].text().c_str(), "10.0.0.1");
    assert_string_equal(book.answers().at("b").addresses[0].text().c_str(), "10.0.0.2");
    assert_false(book.hear(found("a", {"10.0.0.1"})).answer);
    book.follow({"b"});
    assert_int_equal(book.answers().size(), 1);
    book.follow({"a", "b"});
    assert_int_equal(book.answers().size(), 1);
}

Lookup echo(const std::string& host) {
    return found(host, {"10.0.0.1"});
}

Lookup hang_at_slow(const std::string& host) {
    if (host == "slow")
        std::this_thread::sleep_for(1h);
    return echo(host);
}

void all_names_are_looked_up(void**) {
    const auto got = look_up_all({"a", "b"}, 1min, echo);
    assert_true(got.has_value());
    assert_int_equal(got->size(), 2);
    assert_string_equal((*got)[1].host.c_str(), "b");
    assert_string_equal((*got)[1].error.c_str(), "");
}

/// Also the end of the process does not wait for the thread.
void a_name_that_hangs_is_given_up(void**) {
    const auto begin = std::chrono::steady_clock::now();
    const auto got = look_up_all({"a", "slow", "z"}, 50ms, hang_at_slow);
    assert_true(std::chrono::steady_clock::now() - begin < 1min);
    assert_int_equal(got->size(), 3);
    assert_string_equal((*got)[0].error.c_str(), "");
    assert_string_equal((*got)[1].error.c_str(), "no answer within 50ms");
    assert_string_equal((*got)[2].error.c_str(), "no answer within 50ms");
}

void the_event_loop_hears_of_it(void**) {
    auto loop = EventLoop::create();
    assert_true(loop.has_value());
    std::string heard;
    auto resolver = Resolver::start(*loop, [&](const std::vector<Lookup>& lookups) {
        for (const Lookup& lookup : lookups)
            heard += lookup.host + " ";
        if (heard == "127.0.0.1 ::1 ")
            loop->stop(0);
    });
    assert_true(resolver.has_value());
    (*resolver)->ask({"127.0.0.1", "::1"}); // which no resolver is needed for
    assert_int_equal(*loop->run(), 0);
}

void what_getaddrinfo_says(void**) {
    const Lookup v4 = look_up("127.0.0.1");
    assert_string_equal(v4.error.c_str(), "");
    assert_string_equal(v4.addresses.at(0).text().c_str(), "127.0.0.1");
    assert_int_equal(v4.addresses.size(), 1);
    const Lookup v6 = look_up("2001:db8::1");
    assert_string_equal(v6.addresses.at(0).text().c_str(), "2001:db8::1");
    const Lookup none = look_up("not a name");
    assert_true(none.addresses.empty());
    assert_string_not_equal(none.error.c_str(), "");
}

} // namespace

TEST_GROUP(names) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(new_names_are_due_at_once),
        cmocka_unit_test(a_good_answer_is_asked_for_at_the_interval),
        cmocka_unit_test(a_failing_name_is_retried_sooner),
        cmocka_unit_test(a_shorter_interval_holds_at_once),
        cmocka_unit_test(names_come_and_go),
        cmocka_unit_test(an_answer_changes_or_does_not),
        cmocka_unit_test(only_more_beyond_the_cap),
        cmocka_unit_test(a_failure_keeps_the_last_answer_and_is_told_once),
        cmocka_unit_test(earlier_answers_give_way_to_new_ones),
        cmocka_unit_test(all_names_are_looked_up),
        cmocka_unit_test(a_name_that_hangs_is_given_up),
        cmocka_unit_test(the_event_loop_hears_of_it),
        cmocka_unit_test(what_getaddrinfo_says),
    };
    return cmocka_run_group_tests_name("names", tests, nullptr, nullptr);
}

} // namespace test_names
