// SPDX-License-Identifier: Apache-2.0
// daemon/model/path_key: whose path is meant, as text, and which prefix a destination is in.
#include <array>

#include "daemon/model/path_key.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_path_key {

namespace {

using namespace ballast;

void text_there_and_back(void**) {
    for (const char* text : {"10.0.0.5:5432", "10.0.0.0/24:5432", "0.0.0.0/0:1",
                             "[2001:db8::5]:5432", "[2001:db8::]/64:65535", "[::]/0:443"}) {
        const auto key = parse_path_key(text);
        assert_string_equal(key ? key->text().c_str() : key.error().text().c_str(), text);
    }
    for (const char* text : {"", "10.0.0.5", "10.0.0.5:1-2", "10.0.0.5/24:1", "10.0.0.5:0", "db:1"})
        assert_false(parse_path_key(text).has_value());
}

void a_destination_is_its_own_path(void**) {
    const auto destination = parse_endpoint("10.0.0.5:5432").value();
    assert_string_equal(PathKey(destination).text().c_str(), destination.text().c_str());
    assert_true(parse_path_key(destination.text()).value() == PathKey(destination));
}

void the_prefix_that_shares_its_path(void**) {
    struct Case {
        const char* destination;
        LearnPrefixes lengths;
        const char* shared; ///< empty: none
    };
    for (const Case& c : std::array{
             Case{"10.20.0.77:5432", {}, ""},
             Case{"[2001:db8::77]:5432", {}, ""},
             Case{"10.20.0.77:5432", {24, 128}, "10.20.0.0/24:5432"},
             Case{"10.20.0.77:5432", {31, 0}, "10.20.0.76/31:5432"},
             Case{"10.20.0.77:80", {0, 128}, "0.0.0.0/0:80"},
             Case{"10.20.0.77:5432", {32, 64}, ""},
             Case{"[2001:db8::77]:5432", {24, 128}, ""},
             Case{"[2001:db8:1:2:3::77]:5432", {24, 64}, "[2001:db8:1:2::]/64:5432"},
             Case{"[2001:db8::77]:443", {32, 127}, "[2001:db8::76]/127:443"},
             Case{"[2001:db8::77]:443", {32, 0}, "[::]/0:443"},
         }) {
        const auto destination = parse_endpoint(c.destination).value();
        const PathPlace place(destination, c.lengths);
        assert_true(place.own == PathKey(destination));
        assert_string_equal(place.shared ? place.shared->text().c_str() : "", c.shared);
        if (place.shared)
            assert_true(place.shared->prefix.contains(destination.address));
    }
}

} // namespace

TEST_GROUP(path_key) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(text_there_and_back),
        cmocka_unit_test(a_destination_is_its_own_path),
        cmocka_unit_test(the_prefix_that_shares_its_path),
    };
    return cmocka_run_group_tests_name("path_key", tests, nullptr, nullptr);
}

} // namespace test_path_key
