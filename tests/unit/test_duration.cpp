// SPDX-License-Identifier: Apache-2.0
// daemon/util/duration: units, ranges, and text that reads back.
#include <array>
#include <cstring>
#include <string>

#include "daemon/util/duration.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_duration {

namespace {

using namespace ballast;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

void accepted(void**) {
    struct Case {
        const char* input;
        milliseconds wanted;
        const char* text;
    };
    for (const Case& c : std::array{
             Case{"0", 0ms, "0"},
             Case{"0s", 0ms, "0"},
             Case{"250ms", 250ms, "250ms"},
             Case{"60s", 60s, "1m"},
             Case{"90s", 90s, "90s"},
             Case{"5m", 5min, "5m"},
             Case{"2h", 2h, "2h"},
             Case{"1d", 24h, "1d"},
             Case{"1500ms", 1500ms, "1500ms"},
             Case{"36500d", 36500 * 24h, "36500d"},
         }) {
        const auto parsed = parse_duration(c.input);
        assert_true(parsed.has_value());
        assert_int_equal(parsed->count(), c.wanted.count());
        assert_string_equal(duration_text(*parsed).c_str(), c.text);
        assert_int_equal(parse_duration(c.text)->count(), c.wanted.count());
    }
}

void refused(void**) {
    for (const char* input : {"", "1", "60", "s", "ms", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ",
                              "1S", "1sec", "1m30s", "0x1s", "99999999999999999999s", "00"}) {
        const auto parsed = parse_duration(input);
        if (parsed)
            print_error("%s was accepted\n", input);
        assert_false(parsed.has_value());
        assert_non_null(strstr(parsed.error().text().c_str(), "is not a duration; wanted"));
    }
    for (const char* input : {"36501d", "3153600001s", "18446744073709551615d"})
        assert_non_null(
            strstr(parse_duration(input).error().text().c_str(), "is longer than 36500d"));
}

void ranges(void**) {
    constexpr DurationRange grace{1s, 24h, true};
    constexpr DurationRange sweep{1s, 1h};
    struct Case {
        const char* input;
        DurationRange range;
        const char* error; ///< empty: accepted
    };
    for (const Case& c : std::array{
             Case{"1s", grace, ""},
             Case{"24h", grace, ""},
             Case{"0", grace, ""},
             Case{"999ms", grace, "\"999ms\" is not in 0, or 1s..1d"},
             Case{"86400001ms", grace, "\"86400001ms\" is not in 0, or 1s..1d"},
             Case{"0", sweep, "\"0\" is not in 1s..1h"},
             Case{"60m", sweep, ""},
             Case{"61m", sweep, "\"61m\" is not in 1s..1h"},
         }) {
        const auto parsed = parse_duration(c.input, c.range);
        const std::string error = parsed ? "" : parsed.error().text();
        assert_string_equal(error.c_str(), c.error);
    }
}

} // namespace

TEST_GROUP(duration) {
    const CMUnitTest tests[] = {cmocka_unit_test(accepted), cmocka_unit_test(refused),
                                cmocka_unit_test(ranges)};
    return cmocka_run_group_tests_name("duration", tests, nullptr, nullptr);
}

} // namespace test_duration
