// SPDX-License-Identifier: Apache-2.0
// daemon/guards/path_book: what is known of paths, what is new, and that the book stays bounded.
#include <algorithm>

#include "daemon/guards/keepalive/path_book.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_path_book {

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

void a_drop_is_news(void**) {
    PathBook book;
    book.died(path(), 100s, start);
    assert_true(has_died(book, start));
    assert_true(book.has_died_since_taken());
    assert_int_equal(book.take_changes().size(), 1);
    assert_false(book.has_died_since_taken());
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

/// A destination of 10.0.0.0/24, which shares its path.
PathPlace backend(std::uint8_t last, LearnPrefixes lengths = {24, 128}) {
    Endpoint destination = path();
    destination.address.bytes.back() = last;
    return {destination, lengths};
}

void neighbours_share_what_flows_show(void**) {
    PathBook book;
    book.survived(backend(1), 100s, start);
    assert_int_equal(book.paths(), 2);
    const auto own = book.at(backend(1), start);
    assert_true(own->survived == 100s && !own->learned_in);
    const auto neighbour = book.at(backend(2), start);
    assert_true(neighbour->survived == 100s);
    assert_string_equal(neighbour->learned_in->text().c_str(), "10.0.0.0/24");
    assert_false(book.at(backend(2, {}), start).has_value());
    Endpoint other_port = path(1);
    assert_false(book.at({other_port, {24, 128}}, start).has_value());
    book.died(backend(2), 150s, start + 30s);
    assert_true(book.at(backend(3), start + 30s)->died == 150s);
    assert_true(book.at(backend(2), start + 30s)->died == 150s);
    assert_false(book.at(backend(2), start + 30s)->learned_in.has_value());
}

/// What a destination's own flows showed stays, and the old prefix is there if it is asked for.
void other_lengths_take_nothing_away(void**) {
    PathBook book;
    book.survived(backend(1), 100s, start);
    assert_true(book.at(backend(1, {16, 128}), start)->survived == 100s);
    assert_true(book.at(backend(1, {}), start)->survived == 100s);
    assert_false(book.at(backend(2, {16, 128}), start).has_value());
    book.survived(backend(1, {16, 128}), 150s, start);
    assert_true(book.at(backend(2, {16, 128}), start)->survived == 150s);
    assert_true(book.at(backend(2), start)->survived == 100s);
}

/// What destinations learned by themselves counts as soon as they share a path.
void a_prefix_begins_with_what_is_known(void**) {
    PathBook book;
    book.survived(backend(1, {}), 300s, start);
    book.survived(backend(2, {}), 30s, start);
    book.died(backend(2, {}), 40s, start);
    book.died(backend(3, {}), 90s, start);
    Endpoint other_port = path(1);
    book.died({other_port, {}}, 10s, start);
    Endpoint outside = path();
    outside.address.bytes.at(14) = 1;
    book.died({outside, {}}, 20s, start);
    book.survived(backend(4), 5s, start);
    const auto neighbour = book.at(backend(5), start);
    assert_true(neighbour->survived == 30s && neighbour->died == 40s);
    assert_true(book.at(backend(1), start)->survived == 300s);
    assert_false(book.at(backend(1), start)->died.has_value());

    PathBook calm;
    calm.survived(backend(1, {}), 30s, start);
    calm.survived(backend(2, {}), 300s, start);
    calm.survived(backend(4), 5s, start);
    assert_true(calm.at(backend(5), start)->survived == 300s);
}

void a_prefix_is_recalled_and_fades(void**) {
    PathBook book;
    book.survived(backend(1), 100s, start);
    PathBook after;
    for (const auto& change : book.take_changes())
        after.recall(change.path, *change.bound, start);
    assert_true(after.at(backend(2), start)->survived == 100s);
    after.settle(start + std::chrono::hours(24 * 365));
    assert_true(after.is_empty());
    assert_int_equal(after.take_changes().size(), 2); // to be deleted
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
}

} // namespace

TEST_GROUP(path_book) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(silences_lived_through_are_known),
        cmocka_unit_test(a_drop_is_news),
        cmocka_unit_test(changes_are_told_once),
        cmocka_unit_test(what_has_faded_is_forgotten),
        cmocka_unit_test(what_was_known_is_no_news),
        cmocka_unit_test(neighbours_share_what_flows_show),
        cmocka_unit_test(other_lengths_take_nothing_away),
        cmocka_unit_test(a_prefix_begins_with_what_is_known),
        cmocka_unit_test(a_prefix_is_recalled_and_fades),
        cmocka_unit_test(the_book_is_bounded),
    };
    return cmocka_run_group_tests_name("path_book", tests, nullptr, nullptr);
}

} // namespace test_path_book
