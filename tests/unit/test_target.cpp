// SPDX-License-Identifier: Apache-2.0
// daemon/model/policy: the text of targets, both ways; the words for modes.
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "daemon/model/names.h"
#include "daemon/model/policy.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_target {

namespace {

using namespace ballast;

void accepted(void**) {
    struct Case {
        const char* input;
        const char* text;
        std::uint16_t first;
        std::uint16_t last;
        std::uint8_t length;
    };
    for (const Case& c : std::array{
             Case{"10.0.0.5:5432", "10.0.0.5:5432", 5432, 5432, 128},
             Case{"10.0.0.5", "10.0.0.5", 0, 65535, 128},
             Case{"10.1.0.0/16", "10.1.0.0/16", 0, 65535, 112},
             Case{"10.2.0.0/16:8000-8099", "10.2.0.0/16:8000-8099", 8000, 8099, 112},
             Case{"10.0.0.5/32:80-80", "10.0.0.5:80", 80, 80, 128},
             Case{"10.0.0.0/8:1-65535", "10.0.0.0/8:1-65535", 1, 65535, 104},
             Case{"0.0.0.0/0", "0.0.0.0/0", 0, 65535, 96},
             Case{"[2001:db8::5]:5432", "[2001:db8::5]:5432", 5432, 5432, 128},
             Case{"[2001:db8::5]", "2001:db8::5", 0, 65535, 128},
             Case{"2001:db8::5", "2001:db8::5", 0, 65535, 128},
             Case{"2001:DB8::/32", "2001:db8::/32", 0, 65535, 32},
             Case{"[2001:db8::]/32", "2001:db8::/32", 0, 65535, 32},
             Case{"[2001:db8:1::]/48:443", "[2001:db8:1::]/48:443", 443, 443, 48},
             Case{"[2001:db8:1::]/48:1-2", "[2001:db8:1::]/48:1-2", 1, 2, 48},
             Case{"::/0", "::/0", 0, 65535, 0},
             Case{"[::ffff:10.0.0.0]/104:80", "10.0.0.0/8:80", 80, 80, 104},
         }) {
        const auto target = parse_target(c.input);
        assert_string_equal(target ? target->text().c_str() : target.error().text().c_str(),
                            c.text);
        assert_int_equal(target->port_first, c.first);
        assert_int_equal(target->port_last, c.last);
        assert_int_equal(target->prefix.length, c.length);
        assert_true(*parse_target(c.text) == *target);
    }
}

void refused(void**) {
    struct Case {
        std::string_view input;
        const char* error;
    };
    const std::string form = " is not ADDRESS[/LENGTH][:PORT[-PORT]]; wanted \"10.0.0.5:5432\", "
                             "\"10.1.0.0/16\" or \"[2001:db8::]/48:443\"";
    for (const Case& c : std::array{
             Case{"", "\"\" is not an IPv4 or IPv6 address"},
             Case{"db.example:5432", "\"db.example\" is not an IPv4 or IPv6 address"},
             Case{"10.0.0.5:", "\"\" is not a port; wanted 1..65535"},
             Case{"10.0.0.5:0", "\"0\" is not a port; wanted 1..65535"},
             Case{"10.0.0.5:1-65536", "\"65536\" is not a port; wanted 1..65535"},
             Case{"10.0.0.5:0-65535", "\"0\" is not a port; wanted 1..65535"},
             Case{"10.0.0.5:90-80", "port range \"90-80\" ends before it begins"},
             Case{"10.0.0.5:80-", "\"\" is not a port; wanted 1..65535"},
             Case{"10.0.0.5:-80", "\"\" is not a port; wanted 1..65535"},
             Case{"10.0.0.5:80,90", "\"80,90\" is not a port; wanted 1..65535"},
             Case{"10.0.0.5/8", "\"10.0.0.5/8\" has host bits set; wanted 10.0.0.0/8 or 10.0.0.5"},
             Case{"10.0.0.0/8/8:80", "\"10.0.0.0/8/8\" has no prefix length in 0..32"},
             Case{"10.0.0.0:80/8", "\"80/8\" is not a port; wanted 1..65535"},
             Case{"2001:db8::5:80-90", "\"2001:db8::5:80-90\" is not an IPv4 or IPv6 address"},
             Case{"[2001:db8::/32]:80", "\"[2001:db8::/32]:80\""},
             Case{"[2001:db8::5", "\"[2001:db8::5\""},
             Case{"[10.0.0.5]:80", "\"[10.0.0.5]:80\""},
             Case{"[2001:db8::5]80", "\"[2001:db8::5]80\""},
             Case{"[]:80", "\"[]:80\""},
             Case{"[", "\"[\""},
             Case{{"10.0.0.5\0:80", 12}, "\"10.0.0.5\\x00\" is not an IPv4 or IPv6 address"},
         }) {
        const auto target = parse_target(c.input);
        const std::string got = target ? target->text() : target.error().text();
        const bool shape = got == c.error + form;
        if (!shape && got != c.error)
            assert_string_equal(got.c_str(), c.error);
    }
}

void names(void**) {
    const std::string label(63, 'a');
    const std::string longest = fmt::format("{0}.{0}.{0}.{1}", label, label.substr(0, 61));
    for (const auto& [input, wanted] : std::array<std::pair<std::string, std::string>, 24>{{
             {"db.internal:5432", "db.internal:5432"},
             {"db.internal:5000-5010", "db.internal:5000-5010"},
             {"db.internal:80-80", "db.internal:80"},
             {"db.internal", "db.internal"},
             {"DB.Internal.", "db.internal"},
             {"db", "db"},
             {"3com.com:1-65535", "3com.com:1-65535"},
             {"10.0.0.5a", "10.0.0.5a"},
             {"a-b.x--y:1", "a-b.x--y:1"},
             {longest, longest},
             {longest + "a", "neither"},
             {label + "a", "neither"},
             {"a..b", "neither"},
             {".a", "neither"},
             {"a..", "neither"},
             {"-a", "neither"},
             {"a-", "neither"},
             {"a_b", "neither"},
             {"a b", "neither"},
             {"1O.0.0.5", "neither"},
             {"db.internal:0", "\"0\" is not a port; wanted 1..65535"},
             {"db.internal:", "\"\" is not a port; wanted 1..65535"},
             {"db.internal:http", "\"http\" is not a port; wanted 1..65535"},
             {"db.internal:9-8", "port range \"9-8\" ends before it begins"},
         }}) {
        assert_true(is_named_target(input));
        const auto target = parse_named_target(input);
        const std::string got = target ? target->text() : target.error().text();
        if (wanted == "neither")
            assert_non_null(strstr(got.c_str(), " is neither an address nor a DNS name"));
        else
            assert_string_equal(got.c_str(), wanted.c_str());
        if (target)
            assert_true(parse_named_target(got) == *target);
    }
}

void not_meant_as_names(void**) {
    for (const char* text : {"", "10.0.0.5", "10.0.0.5:80", "10.0.0.0/8", "db/24", "[db]:80",
                             "fe80::1%eth0", "10.0.0.5:http", "999.1.1.1"})
        assert_false(is_named_target(text));
}

void words(void**) {
    for (const Mode mode : {Mode::off, Mode::observe, Mode::enforce})
        assert_true(parse_mode(name_of(mode)) == mode);
    for (const OnLimit what : {OnLimit::refused, OnLimit::again, OnLimit::unreachable})
        assert_true(parse_on_limit(name_of(what)) == what);
    for (const char* word : {"", "Off", "enforced", "refuse", " off"}) {
        assert_false(parse_mode(word).has_value());
        assert_false(parse_on_limit(word).has_value());
    }
}

} // namespace

TEST_GROUP(target) {
    const CMUnitTest tests[] = {cmocka_unit_test(accepted), cmocka_unit_test(refused),
                                cmocka_unit_test(names), cmocka_unit_test(not_meant_as_names),
                                cmocka_unit_test(words)};
    return cmocka_run_group_tests_name("target", tests, nullptr, nullptr);
}

} // namespace test_target
