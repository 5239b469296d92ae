// SPDX-License-Identifier: Apache-2.0
// Typed reading of one TOML table. Each getter yields nothing for a key that is absent or wrong; a
// wrong one goes to the problem list, with key path, value and what is accepted. A key that nobody
// asked for is refused: what is read is all there is.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "daemon/config/problem.h"
#include "daemon/model/enum_set.h"
#include "daemon/model/names.h"
#include "daemon/util/duration.h"

namespace ballast {

/// `node` as a message may show it: "60 (an integer)", "an array".
std::string described(const toml::node& node);

class TableReader {
public:
    /// `path` precedes keys in messages ("service."); it is empty for the top of a file. `table`,
    /// `file` and `problems` must outlive the reader.
    TableReader(const toml::table& table, const std::string& file, std::string path,
                ProblemList& problems)
        : table_(table), file_(file), path_(std::move(path)), problems_(problems) {}

    /// Reports each key of the table that no call here has asked for, with the nearest that one
    /// has: call it last. Keys must be literals.
    void refuse_the_rest() const;

    [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
    /// Its value, of whatever type; nullptr: absent.
    [[nodiscard]] const toml::node* find(std::string_view key) const;

    std::optional<std::string> string(std::string_view key) const;
    std::optional<bool> boolean(std::string_view key) const;
    std::optional<std::int64_t> integer(std::string_view key, std::int64_t min,
                                        std::int64_t max) const;

    /// An integer or a float.
    std::optional<double> number(std::string_view key, double min, double max) const;

    /// A string for parse_duration(), or the integer 0 where the range allows 0.
    std::optional<std::chrono::milliseconds> duration(std::string_view key,
                                                      const DurationRange& range) const;

    /// One of the words of `names`, as its enumerator.
    template <typename Enum, std::size_t N>
    std::optional<Enum> choice(std::string_view key,
                               const std::array<std::string_view, N>& names) const {
        const auto word = string(key);
        const auto value = word ? enumerator<Enum>(names, *word) : std::nullopt;
        if (word && !value)
            wrong_choice(key, *word, names);
        return value;
    }

    /// An array of words of `names`, each as its enumerator; may be empty. None: absent, or some
    /// word is not among them.
    template <typename Enum, std::size_t N>
    std::optional<std::vector<Enum>> choices(std::string_view key,
                                             const std::array<std::string_view, N>& names) const {
        const toml::array* list = array(key, "an array of strings");
        if (list == nullptr)
            return std::nullopt;
        std::vector<Enum> chosen;
        for (const toml::node& node : *list) {
            const auto* text = node.as_string();
            const auto value = text ? enumerator<Enum>(names, text->get()) : std::nullopt;
            if (value)
                chosen.push_back(*value);
            else
                wrong_word(key, node, names);
        }
        return chosen.size() == list->size() ? std::optional(std::move(chosen)) : std::nullopt;
    }

    /// Each fill() puts the value of `key` into `field`, and leaves the field as it is where the
    /// key is absent or wrong.
    void fill(std::chrono::milliseconds& field, std::string_view key,
              const DurationRange& range) const {
        field = duration(key, range).value_or(field);
    }
    template <std::unsigned_integral Number>
    void fill(Number& field, std::string_view key, Number min, Number max) const {
        field = static_cast<Number>(integer(key, min, max).value_or(field));
    }
    template <typename Enum, std::size_t N>
    void fill(Enum& field, std::string_view key,
              const std::array<std::string_view, N>& names) const {
        field = choice<Enum>(key, names).value_or(field);
    }

    template <typename Enum, std::size_t N>
    void fill(EnumSet<Enum>& field, std::string_view key,
              const std::array<std::string_view, N>& names) const {
        const auto chosen = choices<Enum>(key, names);
        if (!chosen)
            return;
        field = {};
        for (const Enum one : *chosen)
            field = field.with(one);
    }

    const toml::table* table(std::string_view key) const;
    const toml::array* array(std::string_view key, std::string_view wanted) const;

    /// Reports `message` at the value of `key`, or at the table if the key is absent.
    void problem(std::string_view key, std::string message) const;
    void problem_at(const toml::node& node, std::string_view key, std::string message) const;

    /// Where `key` has its value, or the table begins if it is absent.
    [[nodiscard]] Place place(std::string_view key) const;
    [[nodiscard]] Place place() const { return place_of(table_); }
    [[nodiscard]] std::string full_key(std::string_view key) const;
    [[nodiscard]] Place place_of(const toml::node& node) const;

private:
    void wrong_type(std::string_view key, const toml::node& node, std::string_view wanted) const;
    void wrong_choice(std::string_view key, const std::string& word,
                      std::span<const std::string_view> names) const;
    void wrong_word(std::string_view key, const toml::node& node,
                    std::span<const std::string_view> names) const;

    const toml::table& table_;
    const std::string& file_;
    std::string path_;
    ProblemList& problems_;
    mutable std::vector<std::string_view> asked_; ///< keys, each once, in order
};

} // namespace ballast
