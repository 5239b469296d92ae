// SPDX-License-Identifier: Apache-2.0
// cli/human and cli/format: values as people read them.
#include <array>
#include <string>

#include "cli/format.h"
#include "cli/http.h"
#include "cli/human.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_human {

namespace {

using namespace ballast::cli;

void milliseconds(void**) {
    struct Case {
        std::int64_t value;
        const char* text;
    };
    for (const Case& c :
         std::array{Case{0, "0ms"}, Case{999, "999ms"}, Case{1'000, "1s"}, Case{3'250, "3.2s"},
                    Case{59'999, "59.9s"}, Case{60'000, "1m"}, Case{250'000, "4m10s"},
                    Case{3'599'999, "59m59s"}, Case{3'600'000, "1h"}, Case{11'550'000, "3h12m"},
                    Case{86'399'999, "23h59m"}, Case{86'400'000, "1d"}, Case{190'000'000, "2d4h"},
                    Case{8'640'000'000, "100d"}})
        assert_string_equal(human_ms(c.value).c_str(), c.text);
}

void microseconds(void**) {
    struct Case {
        std::int64_t value;
        const char* text;
    };
    for (const Case& c :
         std::array{Case{0, "0us"}, Case{999, "999us"}, Case{1'000, "1ms"}, Case{4'250, "4.2ms"},
                    Case{99'999, "99.9ms"}, Case{120'500, "120ms"}, Case{1'500'000, "1.5s"}})
        assert_string_equal(human_us(c.value).c_str(), c.text);
}

void words(void**) {
    assert_string_equal(counted(0, "flow").c_str(), "0 flows");
    assert_string_equal(counted(1, "flow").c_str(), "1 flow");
    assert_string_equal(counted(2, "flow").c_str(), "2 flows");
    assert_string_equal(harmless("a\033[31mb\n\x7f").c_str(), "a?[31mb??");
}

void formats(void**) {
    assert_string_equal(format_time("2024-05-01T05:00:00.250Z").c_str(), "2024-05-01 05:00:00Z");
    assert_string_equal(format_time("yesterday").c_str(), "yesterday");
    assert_string_equal(format_text("a\tb").c_str(), "a?b");
    assert_string_equal(format_list({"a"}).c_str(), "a");
    assert_string_equal(format_list({"a", "b\t", "c"}).c_str(), "a, b?, c");
    assert_string_equal(format_list({"a", "b", "c", "d", "e"}).c_str(), "a, b, c, and 2 more");
    assert_string_equal(format_yes(true).c_str(), "yes");
    assert_string_equal(format_yes(false).c_str(), "-");
    assert_string_equal(format_count(-5).c_str(), "-5");
}

void encoded(void**) {
    assert_string_equal(percent_encode("[2001:db8::5]:80").c_str(), "%5B2001%3Adb8%3A%3A5%5D%3A80");
    assert_string_equal(percent_encode("a-b._~9 &\xff").c_str(), "a-b._~9%20%26%FF");
}

} // namespace

TEST_GROUP(human) {
    const CMUnitTest tests[] = {cmocka_unit_test(milliseconds), cmocka_unit_test(microseconds),
                                cmocka_unit_test(words), cmocka_unit_test(formats),
                                cmocka_unit_test(encoded)};
    return cmocka_run_group_tests_name("human", tests, nullptr, nullptr);
}

} // namespace test_human
