// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/table_reader.h"

#include <algorithm>

#include "daemon/config/suggest.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
    case toml::node_type::table:
        return "a table";
    case toml::node_type::array:
        return "an array";
    case toml::node_type::string:
        return "a string";
    case toml::node_type::integer:
        return "an integer";
    case toml::node_type::floating_point:
        return "a float";
    case toml::node_type::boolean:
        return "a boolean";
    default:
        return "a date or time";
    }
}

} // namespace

std::string described(const toml::node& node) {
    const auto type = type_name(node);
    if (const auto* text = node.as_string())
        return fmt::format("{} ({})", in_quotes(text->get()), type);
    if (const auto* number = node.as_integer())
        return fmt::format("{} ({})", number->get(), type);
    if (const auto* number = node.as_floating_point())
        return fmt::format("{} ({})", number->get(), type);
    if (const auto* flag = node.as_boolean())
        return fmt::format("{} ({})", flag->get(), type);
    return std::string(type);
}

const toml::node* TableReader::find(std::string_view key) const {
    if (std::ranges::find(asked_, key) == asked_.end())
        asked_.push_back(key);
    return table_.get(key);
}

void TableReader::refuse_the_rest() const {
    for (const auto& [key, node] : table_) {
        const std::string_view name = key.str();
        if (std::ranges::find(asked_, name) != asked_.end())
            continue;
        std::string hint = did_you_mean(name, asked_);
        if (hint.empty())
            hint = fmt::format("; known here: {}", listed(asked_));
        problems_.add({file_, key.source().begin.line}, path_ + printable(name),
                      "not a key of the policy" + hint);
    }
}

std::optional<std::string> TableReader::string(std::string_view key) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return std::nullopt;
    if (const auto* text = node->as_string())
        return text->get();
    wrong_type(key, *node, "a string");
    return std::nullopt;
}

std::optional<bool> TableReader::boolean(std::string_view key) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return std::nullopt;
    if (const auto* flag = node->as_boolean())
        return flag->get();
    wrong_type(key, *node, "true or false");
    return std::nullopt;
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, std::int64_t min,
                                                 std::int64_t max) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return std::nullopt;
    const auto* number = node->as_integer();
    if (number == nullptr) {
        wrong_type(key, *node, fmt::format("an integer in {}..{}", min, max));
        return std::nullopt;
    }
    if (number->get() < min || number->get() > max) {
        problem(key, fmt::format("{} is not in {}..{}", number->get(), min, max));
        return std::nullopt;
    }
    return number->get();
}

std::optional<double> TableReader::number(std::string_view key, double min, double max) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return std::nullopt;
    const auto value = node->value<double>();
    if (!node->is_number() || !value) {
        wrong_type(key, *node, fmt::format("a number in {}..{}", min, max));
        return std::nullopt;
    }
    if (*value >= min && *value <= max)
        return value;
    problem(key, fmt::format("{} is not in {}..{}", *value, min, max));
    return std::nullopt;
}

std::optional<std::chrono::milliseconds> TableReader::duration(std::string_view key,
                                                               const DurationRange& range) const {
    const toml::node* node = find(key);
    if (node == nullptr)
        return std::nullopt;
    if (range.zero_allowed && node->is_integer() && node->as_integer()->get() == 0)
        return std::chrono::milliseconds{0};
    if (!node->is_string()) {
        wrong_type(key, *node, fmt::format("a duration such as \"60s\", in {}", range.text()));
        return std::nullopt;
    }
    const auto duration = parse_duration(node->as_string()->get(), range);
    if (duration)
        return *duration;
    problem(key, duration.error().text());
    return std::nullopt;
}

const toml::table* TableReader::table(std::string_view key) const {
    const toml::node* node = find(key);
    if (node == nullptr || node->is_table())
        return node == nullptr ? nullptr : node->as_table();
    wrong_type(key, *node, fmt::format("a table, written [{}]", key));
    return nullptr;
}

const toml::array* TableReader::array(std::string_view key, std::string_view wanted) const {
    const toml::node* node = find(key);
    if (node == nullptr || node->is_array())
        return node == nullptr ? nullptr : node->as_array();
    wrong_type(key, *node, wanted);
    return nullptr;
}

void TableReader::problem(std::string_view key, std::string message) const {
    problems_.add(place(key), full_key(key), std::move(message));
}

void TableReader::problem_at(const toml::node& node, std::string_view key,
                             std::string message) const {
    problems_.add(place_of(node), full_key(key), std::move(message));
}

std::string TableReader::full_key(std::string_view key) const {
    return fmt::format("{}{}", path_, key);
}

Place TableReader::place(std::string_view key) const {
    const toml::node* node = find(key);
    return place_of(node == nullptr ? table_ : *node);
}

Place TableReader::place_of(const toml::node& node) const {
    return {file_, node.source().begin.line};
}

void TableReader::wrong_type(std::string_view key, const toml::node& node,
                             std::string_view wanted) const {
    problem(key, fmt::format("{} is not {}", described(node), wanted));
}

void TableReader::wrong_choice(std::string_view key, const std::string& word,
                               std::span<const std::string_view> names) const {
    problem(key, fmt::format("{} is not one of {}{}", in_quotes(word), listed(names),
                             did_you_mean(word, names)));
}

void TableReader::wrong_word(std::string_view key, const toml::node& node,
                             std::span<const std::string_view> names) const {
    const auto* text = node.as_string();
    problem_at(node, key,
               fmt::format("{} is not one of {}{}", described(node), listed(names),
                           text ? did_you_mean(text->get(), names) : ""));
}

} // namespace ballast
