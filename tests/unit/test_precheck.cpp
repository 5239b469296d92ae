// SPDX-License-Identifier: Apache-2.0
// daemon/config/precheck: what is kept from toml++, and that strings and comments hide nothing.
#include <array>
#include <string>

#include "daemon/config/precheck.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_precheck {

namespace {

using namespace ballast;

const std::string kDots(60, '.');
/// Each has a dot; the commas between them end what could be a key.
const std::string kFloats = "1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, "
                            "1.5, 1.5, 1.5, 1.5";
const std::string kKey = ".a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q";

void check_passes(const std::string& toml) {
    const auto objection = precheck(toml);
    if (objection)
        print_error("%s\n%s\n", toml.c_str(), objection->message.c_str());
    assert_false(objection.has_value());
}

void dots_outside_of_keys(void**) {
    for (const std::string& toml : std::initializer_list<std::string>{
             "",
             "# " + kDots + "\n",
             "# " + kDots,
             "a = \"" + kDots + "\"\n",
             "a = \"\\\"" + kDots + "\"\n",
             "a = '" + kDots + "'\n",
             "a = '''\n'" + kDots + "\n''''\n",
             "a = \"\"\"\n\"" + kDots + "\\\"\n\"\"\"\"\"\n",
             "a = '''" + kDots,
             "a = \"\\",
             "a = [" + kFloats + "]\n",
             "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q = 1\n",
         })
        check_passes(toml);
}

void dots_of_keys(void**) {
    for (const std::string& toml : std::initializer_list<std::string>{
             "\na" + kKey + " = 1\n",
             "\n[a" + kKey + "]\n",
             "\n\"a\"" + kKey + " = 1\n",
             "\nx = { y = \"\"\"z\"\"\"\"\", a" + kKey + " = 1 }\n",
             "\nx = { y = \"\"\"z\"\"\"\", a" + kKey + " = 1 }\n",
             "\nx = { y = '''z''', a" + kKey + " = 1 }\n",
             "\nx = { y = \"\\\\\", a" + kKey + " = 1 }\n",
             "\nx = { y = \"\", a" + kKey + " = 1 }\n",
             "# \"\na" + kKey + " = 1\n",
             "x = 'it\"s'\na" + kKey + " = 1\n",
         }) {
        const auto objection = precheck(toml);
        assert_true(objection.has_value());
        assert_int_equal(objection->line, 2);
        assert_string_equal(objection->message.c_str(), "a key with more than 16 dots");
    }
}

void letters_in_comments(void**) {
    for (const std::string& toml : std::initializer_list<std::string>{
             "# \xc3\xa9t\xc3\xa9\n",
             "a = 1 # \xc3\xa9",
             "a = \"#\" # \xc3\xa9\n",
             "\xef\xbb\xbf"
             "a = 1\n",
         })
        check_passes(toml);
}

void letters_elsewhere(void**) {
    struct Case {
        std::string toml;
        unsigned line;
        unsigned column;
    };
    for (const Case& c : std::array{
             Case{"\xc3\xa9 = 1\n", 1, 1},
             Case{"a = 0.0\xd1\xbd\n", 1, 8},
             Case{"# \xc3\xa9\na = '\xc3\xa9'\n", 2, 6},
             Case{"a = '#\xc3\xa9'\n", 1, 7},
             Case{"a = \"\"\"\\\n  \xc3\xa9\"\"\"\n", 2, 3},
             Case{"[\"\xc3\xa9\"]\n", 1, 3},
             Case{"a\xff", 1, 2},
             Case{"a = 1\n\xef\xbb\xbf", 2, 1},
         }) {
        const auto objection = precheck(c.toml);
        assert_true(objection.has_value());
        assert_int_equal(objection->line, c.line);
        assert_int_equal(objection->column, c.column);
        assert_string_equal(objection->message.c_str(),
                            "a character outside of ASCII; only comments may have one");
    }
}

} // namespace

TEST_GROUP(precheck) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(dots_outside_of_keys),
        cmocka_unit_test(dots_of_keys),
        cmocka_unit_test(letters_in_comments),
        cmocka_unit_test(letters_elsewhere),
    };
    return cmocka_run_group_tests_name("precheck", tests, nullptr, nullptr);
}

} // namespace test_precheck
