// SPDX-License-Identifier: Apache-2.0
// daemon/findings/recent: what is alike is counted, ids grow, memory is bounded, nothing is lost
// unsaid.
#include "daemon/findings/recent.h"

#include <string>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_recent {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using findings::Reason;
using findings::Recent;

Recent::Now at(std::chrono::milliseconds since_start) {
    return {std::chrono::steady_clock::time_point(1h + since_start),
            std::chrono::system_clock::time_point(1'714'539'600s + since_start)};
}

Finding found(std::uint16_t port = 5432) {
    Finding made;
    made.reason = Reason::half_open_flow;
    made.destination = {parse_address("10.0.0.5").value(), port};
    made.service = "db";
    made.evidence = "kind=path_down";
    made.kind = "path_down";
    made.netns = 7;
    made.acted = false;
    return made;
}

std::string ids(const std::vector<KeptFinding>& rows) {
    std::string text;
    for (const auto& row : rows)
        text += (text.empty() ? "" : " ") + std::to_string(row.id) +
                (row.coalesced != 0 ? "+" + std::to_string(row.coalesced) : "");
    return text;
}

void assert_ids(const std::vector<KeptFinding>& rows, const char* wanted) {
    assert_string_equal(ids(rows).c_str(), wanted);
}

/// The window begins with the finding that counts the others, and does not move with them.
void what_is_alike_within_the_window_is_counted(void**) {
    Recent recent;
    for (const auto when : {0ms, 1ms, 9'999ms, 10'000ms, 19'999ms, 20'000ms})
        recent.add(found(), at(when));
    const auto page = recent.page({});
    assert_ids(page.rows, "1+2 2+1 3");
    assert_int_equal(recent.coalesced(), 3);
    assert_true(page.rows[0].at == at(0ms).wall);
    assert_true(page.rows[0].last == at(9'999ms).wall);
    assert_true(page.rows[2].last == page.rows[2].at);
}

void what_differs_is_none_the_less_for_it(void**) {
    Recent recent;
    recent.add(found(), at(0ms));
    void (*const changes[])(Finding&) = {
        [](Finding& f) { f.reason = Reason::half_open_flow_reset; },
        [](Finding& f) { f.kind = "silently_dropped"; },
        [](Finding& f) { f.destination.port = 80; },
        [](Finding& f) { f.destination.address = parse_address("2001:db8::5").value(); },
        [](Finding& f) { f.service = "other"; },
        [](Finding& f) { f.netns = 8; },
        [](Finding& f) { f.owner.pid = 9; },
        [](Finding& f) { f.acted = true; },
        [](Finding& f) { f.acted.reset(); },
    };
    for (const auto change : changes) {
        Finding other = found();
        change(other);
        recent.add(other, at(1ms));
    }
    assert_int_equal(recent.page({}).rows.size(), 1 + std::size(changes));
    Finding alike = found();
    alike.evidence = "kind=path_down flows=9";
    recent.add(alike, at(2ms));
    assert_ids({recent.page({}).rows.front()}, "1+1");
}

/// A wall clock that is set back takes no time back.
void a_clock_that_is_set_changes_no_window(void**) {
    Recent recent;
    recent.add(found(), at(0ms));
    recent.add(found(), {at(5s).monotonic, at(-1h).wall});
    assert_ids(recent.page({}).rows, "1+1");
    assert_true(recent.page({}).rows[0].last == at(0ms).wall);
    recent.add(found(), {at(11s).monotonic, at(-1h).wall});
    assert_ids(recent.page({}).rows, "1+1 2");
}

void memory_keeps_the_newest(void**) {
    Recent recent;
    for (std::size_t i = 0; i < Recent::most + 3; ++i)
        recent.add(found(static_cast<std::uint16_t>(i + 1)), at(0ms));
    assert_int_equal(recent.page({}).total, Recent::most);
    assert_int_equal(recent.first_id(), 4);
    assert_int_equal(recent.last_id(), Recent::most + 3);
    assert_int_equal(recent.lost(), 3);
    recent.add(found(1), at(1ms)); // what it was counted by is gone
    assert_int_equal(recent.last_id(), Recent::most + 4);
}

void what_was_saved_is_not_lost(void**) {
    Recent recent;
    for (std::size_t i = 0; i < Recent::most; ++i)
        recent.add(found(static_cast<std::uint16_t>(i + 1)), at(0ms));
    assert_int_equal(recent.take_unsaved().size(), Recent::most);
    for (std::size_t i = 0; i < 10; ++i)
        recent.add(found(static_cast<std::uint16_t>(10'000 + i)), at(0ms));
    assert_int_equal(recent.lost(), 0);
    assert_int_equal(recent.unsaved(), 10);
}

void each_is_saved_once_and_again_when_it_counts_more(void**) {
    Recent recent;
    recent.add(found(1), at(0ms));
    recent.add(found(2), at(0ms));
    assert_ids(recent.take_unsaved(), "1 2");
    assert_ids(recent.take_unsaved(), "");
    recent.add(found(2), at(1s));
    recent.add(found(3), at(1s));
    assert_int_equal(recent.unsaved(), 2);
    assert_ids(recent.take_unsaved(), "2+1 3");
    assert_int_equal(recent.unsaved(), 0);
}

void what_could_not_be_saved_waits(void**) {
    Recent recent;
    recent.add(found(1), at(0ms));
    recent.add(found(2), at(0ms));
    const auto taken = recent.take_unsaved();
    recent.add(found(2), at(1s)); // changes while it is written
    recent.put_back(taken);
    assert_int_equal(recent.unsaved(), 2);
    assert_ids(recent.take_unsaved(), "1 2+1");
}

void what_waited_too_long_is_lost(void**) {
    Recent recent;
    recent.add(found(1), at(0ms));
    const auto taken = recent.take_unsaved();
    for (std::size_t i = 0; i < Recent::most; ++i)
        recent.add(found(static_cast<std::uint16_t>(i + 2)), at(0ms));
    assert_int_equal(recent.lost(), 0);
    recent.put_back(taken);
    assert_int_equal(recent.lost(), 1);
    assert_int_equal(recent.unsaved(), Recent::most);
}

std::vector<KeptFinding> saved(std::size_t count) {
    std::vector<KeptFinding> rows;
    for (std::size_t i = 1; i <= count; ++i)
        rows.push_back({i, at(0ms).wall, at(0ms).wall, 0, found(static_cast<std::uint16_t>(i))});
    return rows;
}

void ids_go_on_after_a_restart(void**) {
    Recent recent;
    recent.recall(saved(3), 40);
    assert_ids(recent.page({}).rows, "1 2 3");
    assert_int_equal(recent.unsaved(), 0);
    recent.add(found(1), at(1ms)); // what was told before the restart counts nothing
    assert_ids(recent.page({}).rows, "1 2 3 41");
    assert_ids(recent.take_unsaved(), "41");
}

void of_much_that_was_saved_the_newest_are_recalled(void**) {
    Recent recent;
    recent.recall(saved(Recent::most + 5), 0);
    assert_int_equal(recent.first_id(), 6);
    assert_int_equal(recent.last_id(), Recent::most + 5);
}

void a_page_is_the_newest_or_goes_on(void**) {
    Recent recent;
    for (std::uint16_t port = 1; port <= 5; ++port)
        recent.add(found(port), at(port * 1s));
    assert_ids(recent.page({.limit = 2}).rows, "4 5");
    assert_ids(recent.page({.after = 1, .limit = 2}).rows, "2 3");
    assert_ids(recent.page({.after = 5}).rows, "");
    assert_ids(recent.page({.since = at(4s).wall}).rows, "4 5");
    assert_ids(recent.page({.port = std::uint16_t{3}}).rows, "3");
    assert_ids(recent.page({.reason = Reason::hook_lost}).rows, "");
    const auto page = recent.page({.after = 1, .limit = 2});
    assert_int_equal(page.total, 4);
    assert_int_equal(page.last_id, 5);
}

/// What began before a time and goes on after it is of that time too; and what has no destination
/// is in no prefix.
void what_matches_is_what_was_asked_for(void**) {
    KeptFinding row{1, at(0ms).wall, at(9s).wall, 4, found()};
    assert_true(FindingQuery{.since = at(9s).wall}.matches(row));
    assert_false(FindingQuery{.since = at(9'001ms).wall}.matches(row));
    FindingQuery query{.destination = parse_prefix("10.0.0.0/8").value()};
    assert_true(query.matches(row));
    query.destination = parse_prefix("::/0").value();
    assert_true(query.matches(row));
    row.what.destination = {};
    assert_false(query.matches(row));
}

} // namespace

TEST_GROUP(recent) {
    const CMUnitTest tests[] = {cmocka_unit_test(what_is_alike_within_the_window_is_counted),
                                cmocka_unit_test(what_differs_is_none_the_less_for_it),
                                cmocka_unit_test(a_clock_that_is_set_changes_no_window),
                                cmocka_unit_test(memory_keeps_the_newest),
                                cmocka_unit_test(what_was_saved_is_not_lost),
                                cmocka_unit_test(each_is_saved_once_and_again_when_it_counts_more),
                                cmocka_unit_test(what_could_not_be_saved_waits),
                                cmocka_unit_test(what_waited_too_long_is_lost),
                                cmocka_unit_test(ids_go_on_after_a_restart),
                                cmocka_unit_test(of_much_that_was_saved_the_newest_are_recalled),
                                cmocka_unit_test(a_page_is_the_newest_or_goes_on),
                                cmocka_unit_test(what_matches_is_what_was_asked_for)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_recent
