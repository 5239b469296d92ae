// SPDX-License-Identifier: Apache-2.0
// daemon/model/override: which overrides have had their time.
#include <string>
#include <vector>

#include "daemon/model/override.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_override_expiry {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

using Time = std::chrono::system_clock::time_point;

const Time kNow{1'900'000'000s};

Override ending(const std::string& target, std::optional<Time> at) {
    Override row;
    row.target = target;
    row.max_connections = 7;
    row.expires_at = at;
    return row;
}

/// "a b | c d": those that live, those that expired.
std::string sorted(const std::vector<Override>& rows, Time now) {
    const OverridesByAge by_age = sort_out_expired(rows, now);
    std::string text;
    for (const Override& row : by_age.live)
        text += row.target + " ";
    text += "|";
    for (const Override& row : by_age.expired)
        text += " " + row.target;
    return text;
}

void ends_at_its_moment_and_not_before(void**) {
    const Override row = ending("a", kNow);
    assert_false(has_expired(row, kNow - 1ns));
    assert_true(has_expired(row, kNow));
    assert_true(has_expired(row, kNow + 24h));
}

void without_an_end_it_stays(void**) {
    assert_false(has_expired(ending("a", {}), Time::max()));
}

void a_clock_that_is_set_back_makes_it_last_longer(void**) {
    const Override row = ending("a", kNow + 2h);
    assert_true(has_expired(row, kNow + 2h));
    assert_false(has_expired(row, kNow - 1h));
}

void sorted_out_in_their_order(void**) {
    const std::vector<Override> rows{ending("a", kNow + 5s), ending("b", kNow), ending("c", {}),
                                     ending("d", kNow - 5s), ending("e", kNow + 2s)};
    assert_string_equal(sorted(rows, kNow).c_str(), "a c e | b d");
    assert_string_equal(sorted(rows, kNow + 2s).c_str(), "a c | b d e");
    assert_string_equal(sorted({}, kNow).c_str(), "|");
}

void next_is_the_first_that_will_end(void**) {
    const std::vector<Override> rows{ending("a", kNow + 5s), ending("b", kNow), ending("c", {}),
                                     ending("e", kNow + 2s)};
    assert_true(sort_out_expired(rows, kNow).next == kNow + 2s);
    assert_true(sort_out_expired(rows, kNow + 2s).next == kNow + 5s);
    assert_false(sort_out_expired(rows, kNow + 5s).next.has_value());
}

} // namespace

TEST_GROUP(override_expiry) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(ends_at_its_moment_and_not_before),
        cmocka_unit_test(without_an_end_it_stays),
        cmocka_unit_test(a_clock_that_is_set_back_makes_it_last_longer),
        cmocka_unit_test(sorted_out_in_their_order),
        cmocka_unit_test(next_is_the_first_that_will_end),
    };
    return cmocka_run_group_tests_name("override_expiry", tests, nullptr, nullptr);
}

} // namespace test_override_expiry
