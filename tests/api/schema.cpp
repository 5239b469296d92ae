// SPDX-License-Identifier: Apache-2.0
#include "tests/api/schema.h"

#include <array>
#include <regex>
#include <string_view>

#include <fmt/format.h>

namespace ballast::test {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 17> kKnown{
    "type",        "properties", "required",      "additionalProperties",
    "items",       "enum",       "nullable",      "$ref",
    "minimum",     "maximum",    "minProperties", "format",
    "description", "default",    "example",       "title",
    "readOnly"};

class Checker {
public:
    explicit Checker(const json& document) : document_(document) {}

    void check(const json& schema, const json& value, const std::string& where);
    std::vector<std::string> problems;

private:
    void complain(const std::string& where, std::string_view what) {
        problems.push_back(fmt::format("{}: {}", where.empty() ? "/" : where, what));
    }

    void check_keywords(const json& schema, const std::string& where);
    bool check_null(const json& schema, const std::string& where);
    bool check_type(const json& schema, const json& value, const std::string& where);
    void check_enum(const json& schema, const json& value, const std::string& where);
    void check_range(const json& schema, const json& value, const std::string& where);
    void check_format(const json& schema, const json& value, const std::string& where);
    void check_object(const json& schema, const json& value, const std::string& where);
    void check_members(const json& schema, const json& value, const std::string& where);
    void check_array(const json& schema, const json& value, const std::string& where);

    const json& document_;
};

bool is_of_type(const json& value, const std::string& type) {
    if (type == "integer")
        return value.is_number_integer();
    if (type == "number")
        return value.is_number();
    if (type == "array" || type == "object" || type == "string" || type == "boolean")
        return value.type_name() == type;
    return false;
}

void Checker::check(const json& schema, const json& value, const std::string& where) {
    if (schema.contains("$ref")) {
        const std::string target = schema.at("$ref");
        check(document_.at(json::json_pointer(target.substr(1))), value, where);
        return;
    }
    check_keywords(schema, where);
    check_enum(schema, value, where);
    if (value.is_null() ? !check_null(schema, where) : !check_type(schema, value, where))
        return;
    check_range(schema, value, where);
    check_format(schema, value, where);
    if (value.is_object())
        check_object(schema, value, where);
    if (value.is_array())
        check_array(schema, value, where);
}

void Checker::check_keywords(const json& schema, const std::string& where) {
    for (const auto& [keyword, unused] : schema.items())
        if (std::find(kKnown.begin(), kKnown.end(), keyword) == kKnown.end())
            complain(where, "the schema has an unknown keyword " + keyword);
}

bool Checker::check_null(const json& schema, const std::string& where) {
    if (!schema.value("nullable", false))
        complain(where, "is null");
    return false; // nothing else to look at
}

bool Checker::check_type(const json& schema, const json& value, const std::string& where) {
    const std::string type = schema.value("type", "");
    if (is_of_type(value, type))
        return true;
    complain(where, fmt::format("is {}, not of type '{}'", value.dump(), type));
    return false;
}

void Checker::check_enum(const json& schema, const json& value, const std::string& where) {
    const auto allowed = schema.find("enum");
    if (allowed != schema.end() &&
        std::find(allowed->begin(), allowed->end(), value) == allowed->end())
        complain(where, fmt::format("is {}, not one of {}", value.dump(), allowed->dump()));
}

void Checker::check_range(const json& schema, const json& value, const std::string& where) {
    if (!value.is_number())
        return;
    if (schema.contains("minimum") && value < schema.at("minimum"))
        complain(where, value.dump() + " is below the minimum");
    if (schema.contains("maximum") && value > schema.at("maximum"))
        complain(where, value.dump() + " is above the maximum");
}

void Checker::check_format(const json& schema, const json& value, const std::string& where) {
    static const std::regex date_time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)");
    const std::string format = schema.value("format", "");
    if (format == "date-time" && !std::regex_match(value.get<std::string>(), date_time))
        complain(where, value.dump() + " is not RFC 3339 in UTC");
    if (!format.empty() && format != "date-time")
        complain(where, "the schema has an unknown format " + format);
}

void Checker::check_object(const json& schema, const json& value, const std::string& where) {
    for (const auto& name : schema.value("required", json::array()))
        if (!value.contains(name.get<std::string>()))
            complain(where, fmt::format("lacks {}", name.dump()));
    if (value.size() < schema.value("minProperties", std::size_t{0}))
        complain(where, "has too few members");
    check_members(schema, value, where);
}

void Checker::check_members(const json& schema, const json& value, const std::string& where) {
    const json properties = schema.value("properties", json::object());
    const json others = schema.value("additionalProperties", json(true));
    for (const auto& [name, member] : value.items()) {
        if (properties.contains(name))
            check(properties.at(name), member, fmt::format("{}/{}", where, name));
        else if (others.is_object())
            check(others, member, fmt::format("{}/{}", where, name));
        else if (!others.get<bool>())
            complain(where, fmt::format("has an undocumented member '{}'", name));
    }
}

void Checker::check_array(const json& schema, const json& value, const std::string& where) {
    for (std::size_t i = 0; i < value.size(); ++i)
        check(schema.at("items"), value.at(i), fmt::format("{}/{}", where, i));
}

} // namespace

std::vector<std::string> schema_problems(const json& document, const json& schema,
                                         const json& value) {
    Checker checker(document);
    checker.check(schema, value, "");
    return checker.problems;
}

} // namespace ballast::test
