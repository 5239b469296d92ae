// SPDX-License-Identifier: Apache-2.0
// daemon/guards/path_book: when a drop counts, what is new, and that the book stays bounded.
#include <algorithm>

#include "daemon/guards/path_book.h"
#include "tests/harness/cmocka.hpp"

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using guards::PathBook;

constexpr PathBook::Monotonic start{1h};

Endpoint path(std::uint16_t port = 5432) {
    return {*parse_address("10.0.0.5"), port};
}

bool has_died(const PathBook& book, PathBook::Monotonic now) {
    const auto bracket = book.at(path(), now);
    return bracket && bracket->died;
}

void silences_lived_through_are_known(void**) {
    PathBook book;
    assert_false(book.at(path(), start).has_value());
    book.survived(path(), 1s, start); // too short to say anything
    assert_true(book.is_empty());
    book.survived(path(), 100s, start);
    assert_true(book.at(path(), start)->survived == 100s);
    assert_false(book.at(path(1), start).has_value());
}

void a_drop_counts_after_a_while(void**) {
    PathBook book;
    book.suspend(7, path(), 100s, start);
    book.settle(start + 29s);
    assert_false(has_died(book, start + 29s));
    assert_false(book.has_died_since_taken());
    book.settle(start + 30s);
    assert_true(has_died(book, start + 30s));
    assert_true(book.has_died_since_taken());
    const auto changes = book.take_changes();
    assert_int_equal(changes.size(), 1);
    assert_false(book.has_died_since_taken());
}

void not_if_it_was_heard_of_again(void**) {
    PathBook book;
    book.suspend(7, path(), 100s, start);
    book.acquit(7);
    book.settle(start + 60s);
    assert_false(has_died(book, start + 60s));
}

void a_flow_counts_once(void**) {
    PathBook book;
    book.suspend(7, path(), 100s, start);
    book.suspend(7, path(), 50s, start + 20s);
    book.settle(start + 30s);
    assert_true(book.at(path(), start + 30s)->died == 100s);
    book.settle(start + 60s);
    assert_true(book.at(path(), start + 60s)->died > 100s); // and fades since
}

void changes_are_told_once(void**) {
    PathBook book;
    book.survived(path(1), 10s, start);
    book.survived(path(2), 10s, start);
    assert_int_equal(book.take_changes().size(), 2);
    assert_int_equal(book.take_changes().size(), 0);
    book.survived(path(2), 20s, start);
    const auto changes = book.take_changes();
    assert_int_equal(changes.size(), 1);
    assert_true(changes.front().path == path(2) && changes.front().bound);
}

void what_has_faded_is_forgotten(void**) {
    PathBook book;
    book.survived(path(), 10s, start);
    book.take_changes();
    book.settle(start + std::chrono::hours(24 * 365));
    assert_true(book.is_empty());
    const auto changes = book.take_changes();
    assert_int_equal(changes.size(), 1);
    assert_false(changes.front().bound.has_value());
}

void what_was_known_is_no_news(void**) {
    PathBook book;
    guards::IdleBound bound;
    bound.survived(100s, start);
    book.recall(path(), bound, start);
    assert_true(book.at(path(), start)->survived == 100s);
    assert_int_equal(book.take_changes().size(), 0);
}

void the_book_is_bounded(void**) {
    PathBook book;
    for (std::uint32_t i = 0; i <= PathBook::most_paths; ++i) {
        Endpoint one = path(static_cast<std::uint16_t>(i));
        one.address.bytes.back() = static_cast<std::uint8_t>(i >> 16U);
        book.survived(one, 10s, start + std::chrono::milliseconds(i));
    }
    assert_int_equal(book.paths(), PathBook::most_paths);
    assert_int_equal(book.table_full(), 1);
    const auto changes = book.take_changes();
    assert_int_equal(std::ranges::count_if(changes, [](const auto& c) { return !c.bound; }), 1);
    for (std::uint64_t flow = 0; flow <= PathBook::most_suspended; ++flow)
        book.suspend(flow, path(), 10s, start);
    assert_int_equal(book.table_full(), 2);
}

} // namespace

int main() {
    const CMUnitTest tests[] = {
        cmocka_unit_test(silences_lived_through_are_known),
        cmocka_unit_test(a_drop_counts_after_a_while),
        cmocka_unit_test(not_if_it_was_heard_of_again),
        cmocka_unit_test(a_flow_counts_once),
        cmocka_unit_test(changes_are_told_once),
        cmocka_unit_test(what_has_faded_is_forgotten),
        cmocka_unit_test(what_was_known_is_no_news),
        cmocka_unit_test(the_book_is_bounded),
    };
    return cmocka_run_group_tests_name("path_book", tests, nullptr, nullptr);
}
