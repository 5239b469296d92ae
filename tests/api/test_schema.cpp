// SPDX-License-Identifier: Apache-2.0
// The schema checker itself: each rule both holds and is seen broken.
#include "tests/api/schema.h"
#include "tests/harness/check.h"
#include "tests/harness/group.h"
#include "tests/harness/suite.h"

namespace test_schema {

namespace {

using namespace ballast::test;
using nlohmann::json;

struct Row {
    std::string name;
    std::string schema;
    std::string value;
    std::string problem; ///< the only one; empty: none
};

const std::vector<Row> kRows{
    {"integer", R"({"type":"integer"})", "3", ""},
    {"not an integer", R"({"type":"integer"})", "3.5", "/: is 3.5, not of type 'integer'"},
    {"number", R"({"type":"number"})", "3.5", ""},
    {"no type", "{}", "1", "/: is 1, not of type ''"},
    {"null refused", R"({"type":"integer"})", "null", "/: is null"},
    {"null allowed", R"({"type":"integer","nullable":true})", "null", ""},
    {"null not in enum", R"({"type":"string","nullable":true,"enum":["a"]})", "null",
     R"(/: is null, not one of ["a"])"},
    {"enum", R"({"type":"string","enum":["a"]})", R"("b")", R"(/: is "b", not one of ["a"])"},
    {"minimum", R"({"type":"integer","minimum":0})", "-1", "/: -1 is below the minimum"},
    {"maximum", R"({"type":"integer","maximum":9})", "10", "/: 10 is above the maximum"},
    {"time", R"({"type":"string","format":"date-time"})", R"("2024-05-01T05:00:00.250Z")", ""},
    {"not a time", R"({"type":"string","format":"date-time"})", R"("yesterday")",
     R"(/: "yesterday" is not RFC 3339 in UTC)"},
    {"required", R"({"type":"object","required":["a"]})", "{}", R"(/: lacks "a")"},
    {"member", R"({"type":"object","properties":{"a":{"type":"string"}}})", R"({"a":1})",
     "/a: is 1, not of type 'string'"},
    {"undocumented", R"({"type":"object","additionalProperties":false})", R"({"b":1})",
     "/: has an undocumented member 'b'"},
    {"others", R"({"type":"object","additionalProperties":{"type":"string"}})", R"({"b":1})",
     "/b: is 1, not of type 'string'"},
    {"too few", R"({"type":"object","minProperties":1})", "{}", "/: has too few members"},
    {"items", R"({"type":"array","items":{"type":"string"}})", R"(["a",2])",
     "/1: is 2, not of type 'string'"},
    {"reference", R"({"$ref":"#/name"})", "1", "/: is 1, not of type 'string'"},
    {"unknown keyword", R"({"type":"string","pattern":"x"})", R"("y")",
     "/: the schema has an unknown keyword pattern"},
};

void judges(const Row& row) {
    const json document = json::parse(R"({"name":{"type":"string"}})");
    const auto problems =
        schema_problems(document, json::parse(row.schema), json::parse(row.value));
    check_equal(fmt::format("{}", fmt::join(problems, "; ")), row.problem, row.schema);
}

} // namespace

TEST_GROUP(schema) {
    return Suite().each(kRows, "judges", judges).run("schema");
}

} // namespace test_schema
