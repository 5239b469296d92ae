// SPDX-License-Identifier: Apache-2.0
// daemon/api/breaker_body: what may be ordered of a breaker.
#include <array>
#include <string>

#include "daemon/api/breaker_body.h"
#include "tests/harness/cmocka.hpp"
#include "tests/harness/group.h"

namespace test_breaker_body {

namespace {

using namespace ballast;
using namespace ballast::api;
using std::chrono::milliseconds;

void accepted(void**) {
    const std::string longest(kMaxReasonBytes, 'r');
    struct Case {
        std::string body;
        BreakerForce force;
        std::string reason;
        std::optional<milliseconds> lasts;
    };
    for (const Case& c : std::array{
             Case{R"({"force": "open"})", BreakerForce::open, "", std::nullopt},
             Case{R"({"force": "closed", "lasts_ms": 1})", BreakerForce::closed, "",
                  milliseconds(1)},
             Case{R"({"lasts_ms": 31536000000, "reason": "D\u00f6ner", "force": "open"})",
                  BreakerForce::open, "D\u00f6ner", kMaxOrder},
             Case{R"({"force": "open", "reason": ")" + longest + "\"}", BreakerForce::open, longest,
                  std::nullopt},
         }) {
        const auto order = parse_breaker_body(c.body);
        assert_true(order.has_value());
        assert_true(order->force == c.force);
        assert_string_equal(order->reason.c_str(), c.reason.c_str());
        assert_true(order->lasts == c.lasts);
    }
}

void refused(void**) {
    struct Case {
        std::string body;
        const char* message;
    };
    const std::string long_reason(kMaxReasonBytes + 1, 'r');
    for (const Case& c : std::array{
             Case{"", "the body is not a JSON object"},
             Case{"{}", "the body changes nothing"},
             Case{R"({"reason": "why"})", "force is missing"},
             Case{R"({"force": "auto"})", "force: \"\\\"auto\\\"\" is not one of open, closed"},
             Case{R"({"force": "none"})", "force: \"\\\"none\\\"\" is not one of open, closed"},
             Case{R"({"force": 1})", "force: \"1\" is not one of open, closed"},
             Case{R"({"force": "open", "by": "me"})", "unknown key \"by\""},
             Case{R"({"force": "open", "reason": []})",
                  "reason: an array is not a line of text of at most 95 bytes"},
             Case{R"({"force": "open", "reason": ")" + long_reason + "\"}", nullptr},
             Case{R"({"force": "open", "reason": "a\nforged=line"})", nullptr},
             Case{R"({"force": "open", "reason": "\u007f"})", nullptr},
             Case{R"({"force": "open", "lasts_ms": 0})",
                  "lasts_ms: \"0\" is not a whole number from 1 to 31536000000"},
             Case{R"({"force": "open", "lasts_ms": 31536000001})", nullptr},
             Case{R"({"force": "open", "lasts_ms": -1})", nullptr},
             Case{R"({"force": "open", "lasts_ms": 1.5})", nullptr},
             Case{R"({"force": "open", "lasts_ms": "2h"})", nullptr},
         }) {
        const auto order = parse_breaker_body(c.body);
        assert_false(order.has_value());
        if (c.message != nullptr)
            assert_string_equal(order.error().message().c_str(), c.message);
    }
}

} // namespace

TEST_GROUP(breaker_body) {
    const CMUnitTest tests[] = {cmocka_unit_test(accepted), cmocka_unit_test(refused)};
    return cmocka_run_group_tests_name("breaker_body", tests, nullptr, nullptr);
}

} // namespace test_breaker_body
