// SPDX-License-Identifier: Apache-2.0
// daemon/util/wall_time: RFC 3339 and nothing that only looks like it.
#include "daemon/util/wall_time.h"

#include <cstring>
#include <string>

#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_wall_time {

namespace {

using namespace ballast;
using namespace std::chrono_literals;

void times_are_read(void**) {
    struct Case {
        const char* text;
        std::chrono::nanoseconds since_epoch;
    };
    for (const Case& c : {
             Case{"1970-01-01T00:00:00Z", 0s},
             Case{"2024-05-01T05:00:00Z", 1'714'539'600s},
             Case{"2024-05-01t05:00:00z", 1'714'539'600s},
             Case{"2024-05-01T05:00:00.25Z", 1'714'539'600s + 250ms},
             Case{"2024-05-01T05:00:00.123456789Z", 1'714'539'600s + 123'456'789ns},
             Case{"2024-05-01T05:00:00.1234567899999Z", 1'714'539'600s + 123'456'789ns},
             Case{"2024-05-01T07:00:00+02:00", 1'714'539'600s},
             Case{"2024-04-30T23:30:00-05:30", 1'714'539'600s},
             Case{"2024-02-29T23:59:59.999Z", 1'709'251'199s + 999ms},
             Case{"2199-12-31T23:59:59Z", 7'258'118'399s},
         }) {
        const auto time = parse_rfc3339(c.text);
        if (!time || time->time_since_epoch() != c.since_epoch)
            fail_msg("%s", c.text);
    }
}

void what_is_written_is_read(void**) {
    for (const auto since : {0ms, 1'714'539'600'250ms, 7'258'118'399'999ms}) {
        const std::chrono::system_clock::time_point time(since);
        assert_true(parse_rfc3339(rfc3339(time)).value() == time);
    }
}

void anything_else_is_refused(void**) {
    for (const char* text : {"",
                             "yesterday",
                             "2024-05-01",
                             "2024-05-01T05:00:00",
                             "2024-05-01 05:00:00Z",
                             "2024-5-01T05:00:00Z",
                             "2024-05-01T05:00Z",
                             "2024-05-01T05:00:00.Z",
                             "2024-05-01T05:00:00,5Z",
                             "2024-05-01T05:00:00Zulu",
                             "2024-05-01T05:00:00+0200",
                             "2024-05-01T05:00:00+02",
                             "2024-05-01T05:00:00+24:00",
                             "2024-05-01T05:00:00+02:60",
                             "2024-13-01T05:00:00Z",
                             "2024-00-01T05:00:00Z",
                             "2024-04-31T05:00:00Z",
                             "2023-02-29T05:00:00Z",
                             "2024-05-01T24:00:00Z",
                             "2024-05-01T05:60:00Z",
                             "2024-05-01T05:00:60Z",
                             "1969-12-31T23:59:59Z",
                             "2200-01-01T00:00:00Z",
                             "-024-05-01T05:00:00Z",
                             "2024-05-01T-5:00:00Z",
                             "1714539600"}) {
        const auto time = parse_rfc3339(text);
        if (time)
            fail_msg("%s is taken", text);
        assert_non_null(strstr(time.error().message().c_str(), "is not a time"));
    }
}

} // namespace

TEST_GROUP(wall_time) {
    const CMUnitTest tests[] = {cmocka_unit_test(times_are_read),
                                cmocka_unit_test(what_is_written_is_read),
                                cmocka_unit_test(anything_else_is_refused)};
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}

} // namespace test_wall_time
