// SPDX-License-Identifier: Apache-2.0
// daemon/util/quote: nothing that was quoted can break a line, a terminal or JSON.
#include <array>
#include <string>

#include "daemon/util/quote.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_quote {

namespace {

using namespace ballast;

void escapes(void**) {
    struct Case {
        std::string_view input;
        const char* wanted;
    };
    for (const Case& c : std::array{
             Case{"", "\"\""},
             Case{"orders-db", "\"orders-db\""},
             Case{"a\nb", "\"a\\x0ab\""},
             Case{"a\"b\\c", "\"a\\\"b\\\\c\""},
             Case{{"a\0b", 3}, "\"a\\x00b\""},
             Case{"\x1b[31m\x7f", "\"\\x1b[31m\\x7f\""},
             Case{"\xc3\xa9\xff", "\"\\xc3\\xa9\\xff\""},
         })
        assert_string_equal(in_quotes(c.input).c_str(), c.wanted);
}

void cuts(void**) {
    const std::string full(80, 'a');
    assert_string_equal(printable(full).c_str(), full.c_str());
    assert_string_equal(printable(full + "b").c_str(), (full + "...").c_str());
    assert_string_equal(printable("abcd", 3).c_str(), "abc...");
}

void makes_one_word(void**) {
    assert_string_equal(one_word("a b\nfinding").c_str(), "a\\x20b\\x0afinding");
    assert_string_equal(one_word("/system.slice/a.service").c_str(), "/system.slice/a.service");
}

} // namespace

TEST_GROUP(quote) {
    const CMUnitTest tests[] = {cmocka_unit_test(escapes), cmocka_unit_test(cuts),
                                cmocka_unit_test(makes_one_word)};
    return cmocka_run_group_tests_name("quote", tests, nullptr, nullptr);
}

} // namespace test_quote
