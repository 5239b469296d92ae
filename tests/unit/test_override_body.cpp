// SPDX-License-Identifier: Apache-2.0
// daemon/api/override_body: the one body the API takes.
#include <array>
#include <string>

#include "daemon/api/override_body.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_override_body {

namespace {

using namespace ballast;
using namespace ballast::api;
using namespace std::chrono_literals;

const WallTime kNow{1'900'000'000s};

void accepted(void**) {
    struct Case {
        const char* body;
        std::optional<std::uint32_t> max_connections;
        std::optional<Mode> mode;
        std::optional<OnLimit> on_limit;
    };
    const auto none = std::nullopt;
    for (const Case& c : std::array{
             Case{R"({"max_connections": 1})", 1, none, none},
             Case{R"({"max_connections": 1000000})", 1'000'000, none, none},
             Case{R"({"mode": "off"})", none, Mode::off, none},
             Case{R"({"on_limit": "again", "mode": "enforce"})", none, Mode::enforce,
                  OnLimit::again},
             Case{R"({"max_connections": 5, "mode": "observe", "on_limit": "unreachable"})", 5,
                  Mode::observe, OnLimit::unreachable},
         }) {
        const auto row = parse_override_body(c.body, kNow);
        assert_true(row.has_value());
        assert_true(row->max_connections == c.max_connections);
        assert_true(row->mode == c.mode);
        assert_true(row->on_limit == c.on_limit);
        assert_false(row->expires_at.has_value());
    }
}

void every_limit_has_its_field(void**) {
    struct Case {
        const char* key;
        std::optional<std::uint32_t> Override::*field;
    };
    for (const Case& c : std::array{
             Case{"max_connections", &Override::max_connections},
             Case{"max_connections_total", &Override::max_connections_total},
             Case{"max_per_consumer", &Override::max_per_consumer},
             Case{"max_connect_rate", &Override::max_connect_rate},
             Case{"burst", &Override::burst},
         }) {
        for (const std::uint32_t value : {1U, 1'000'000U}) {
            const auto row =
                parse_override_body(fmt::format(R"({{"{}": {}}})", c.key, value), kNow);
            Override wanted;
            wanted.*c.field = value;
            assert_true(row && *row == wanted);
        }
        for (const char* value : {"0", "1000001", "-1", "1.5"}) {
            const auto row =
                parse_override_body(fmt::format(R"({{"{}": {}}})", c.key, value), kNow);
            assert_false(row.has_value());
            const std::string wanted =
                fmt::format("{}: \"{}\" is not a whole number from 1 to 1000000", c.key, value);
            assert_string_equal(row.error().message().c_str(), wanted.c_str());
        }
    }
}

void expires_after_what_it_lasts(void**) {
    struct Case {
        const char* lasts;
        std::chrono::milliseconds after;
    };
    for (const Case& c : std::array{Case{"1000", 1s}, Case{"7200000", 2h},
                                    Case{"31622400000", std::chrono::hours(24 * 366)}}) {
        const auto row =
            parse_override_body(fmt::format(R"({{"lasts_ms": {}, "burst": 5}})", c.lasts), kNow);
        assert_true(row && row->expires_at == kNow + c.after);
    }
}

void refused(void**) {
    struct Case {
        std::string body;
        const char* message;
    };
    const char* const range = "max_connections: {} is not a whole number from 1 to 1000000";
    const std::string deep =
        R"({"mode": )" + std::string(30'000, '[') + std::string(30'000, ']') + "}";
    for (const Case& c : std::array{
             Case{"", "the body is not a JSON object"},
             Case{"{", "the body is not a JSON object"},
             Case{"[]", "the body is not a JSON object"},
             Case{R"({"mode":"off"} x)", "the body is not a JSON object"},
             Case{"{}", "the body changes nothing"},
             Case{R"({"max":5})", "unknown key \"max\""},
             Case{R"({"max_connections":5,"extra":1})", "unknown key \"extra\""},
             Case{R"({"max_connections":0})", "\"0\""},
             Case{R"({"max_connections":1000001})", "\"1000001\""},
             Case{R"({"max_connections":-1})", "\"-1\""},
             Case{R"({"max_connections":1.5})", "\"1.5\""},
             Case{R"({"max_connections":null})", "\"null\""},
             Case{R"({"mode":"Enforce"})",
                  "mode: \"\\\"Enforce\\\"\" is not one of off, observe, enforce"},
             Case{R"({"mode":2})", "mode: \"2\" is not one of off, observe, enforce"},
             Case{R"({"on_limit":{}})",
                  "on_limit: an object is not one of refused, again, unreachable"},
             Case{R"({"lasts_ms":60000})", "the body changes nothing"},
             Case{R"({"burst":5,"lasts_ms":999})",
                  "lasts_ms: \"999\" is not a whole number from 1000 to 31622400000"},
             Case{R"({"burst":5,"lasts_ms":31622400001})",
                  "lasts_ms: \"31622400001\" is not a whole number from 1000 to 31622400000"},
             Case{R"({"burst":5,"lasts_ms":"2h"})",
                  "lasts_ms: \"\\\"2h\\\"\" is not a whole number from 1000 to 31622400000"},
             Case{R"({"max_connections":9,"max_connections_total":8})",
                  "max_connections_total: 8 is below max_connections, 9"},
             Case{deep, "mode: an array is not one of off, observe, enforce"},
         }) {
        const auto row = parse_override_body(c.body, kNow);
        assert_false(row.has_value());
        const std::string wanted = c.message[0] == '"' ? fmt::format(fmt::runtime(range), c.message)
                                                       : std::string(c.message);
        assert_string_equal(row.error().message().c_str(), wanted.c_str());
    }
}

} // namespace

TEST_GROUP(override_body) {
    const CMUnitTest tests[] = {
        cmocka_unit_test(accepted), cmocka_unit_test(every_limit_has_its_field),
        cmocka_unit_test(expires_after_what_it_lasts), cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("override_body", tests, nullptr, nullptr);
}

} // namespace test_override_body
