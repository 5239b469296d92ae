// SPDX-License-Identifier: Apache-2.0
// daemon/api/override_body: the one body the API takes.
#include <array>
#include <string>

#include "daemon/api/override_body.h"
#include "tests/harness/cmocka.hpp"

namespace {

using namespace ballast;
using namespace ballast::api;

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
        const auto row = parse_override_body(c.body);
        assert_true(row.has_value());
        assert_true(row->max_connections == c.max_connections);
        assert_true(row->mode == c.mode);
        assert_true(row->on_limit == c.on_limit);
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
             Case{deep, "mode: an array is not one of off, observe, enforce"},
         }) {
        const auto row = parse_override_body(c.body);
        assert_false(row.has_value());
        const std::string wanted = c.message[0] == '"' ? fmt::format(fmt::runtime(range), c.message)
                                                       : std::string(c.message);
        assert_string_equal(row.error().message().c_str(), wanted.c_str());
    }
}

} // namespace

int main() {
    const CMUnitTest tests[] = {cmocka_unit_test(accepted), cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("override_body", tests, nullptr, nullptr);
}
