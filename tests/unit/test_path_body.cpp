// SPDX-License-Identifier: Apache-2.0
// daemon/api/path_body: what may be reported of a path.
#include <array>
#include <cstring>
#include <string>

#include "daemon/api/path_body.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_path_body {

namespace {

using namespace ballast;
using namespace ballast::api;
using std::chrono::milliseconds;
using Silence = std::optional<milliseconds>;

void accepted(void**) {
    struct Case {
        std::string body;
        Silence survived;
        Silence died;
    };
    for (const Case& c : std::array{
             Case{R"({"survived_ms": 2000})", kShortestSilence, std::nullopt},
             Case{R"({"died_ms": 2592000000})", std::nullopt, kLongestSilence},
             Case{R"({"survived_ms": 5000, "died_ms": 5001})", milliseconds(5000),
                  milliseconds(5001)},
         }) {
        const auto report = parse_path_body(c.body);
        assert_true(report.has_value());
        assert_true(report->survived == c.survived);
        assert_true(report->died == c.died);
    }
}

void refused(void**) {
    struct Case {
        std::string body;
        const char* wanted;
    };
    for (const Case& c : std::array{
             Case{"", "JSON"},
             Case{"{}", "changes nothing"},
             Case{R"({"survived_ms": 1999})",
                  "survived_ms: \"1999\" is not a whole number from 2000"},
             Case{R"({"died_ms": 2592000001})", "to 2592000000"},
             Case{R"({"died_ms": -1})", "died_ms"},
             Case{R"({"died_ms": "5s"})", "is not a whole number"},
             Case{R"({"survived_ms": 5000, "died_ms": 5000})", "is not below died_ms, 5000"},
             Case{R"({"lived_ms": 5000})", "lived_ms"},
         }) {
        const auto report = parse_path_body(c.body);
        assert_false(report.has_value());
        assert_non_null(std::strstr(report.error().text().c_str(), c.wanted));
    }
}

} // namespace

TEST_GROUP(path_body) {
    const CMUnitTest tests[] = {cmocka_unit_test(accepted), cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("path_body", tests, nullptr, nullptr);
}

} // namespace test_path_body
