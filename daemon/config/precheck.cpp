// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/precheck.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_ascii(char byte) {
    return static_cast<unsigned char>(byte) < 0x80;
}

/// The end of the string that begins at `at` with `quote`, as TOML 1.0 has it: a line for simple
/// strings, up to three quotes (and two more that belong to the text) for multi-line ones.
std::size_t end_of_string(std::string_view toml, std::size_t at, char quote) {
    const std::string closing(3, quote);
    const bool multi_line = toml.substr(at).starts_with(closing);
    const std::string_view stops = quote == '"' ? "\"\\\n" : "'\n";
    std::size_t i = at + (multi_line ? 3 : 1);
    while ((i = toml.find_first_of(stops, i)) < toml.size()) {
        if (toml[i] == '\\')
            i += 2;
        else if (!multi_line)
            return i + (toml[i] == quote ? 1 : 0);
        else if (!toml.substr(i).starts_with(closing))
            ++i;
        else
            return std::min({toml.find_first_not_of(quote, i), i + 5, toml.size()});
    }
    return toml.size();
}

/// The end of what begins at `at`: a string, a comment or a single byte.
std::size_t end_of_token(std::string_view toml, std::size_t at) {
    if (toml[at] == '"' || toml[at] == '\'')
        return end_of_string(toml, at, toml[at]);
    return toml[at] == '#' ? std::min(toml.find('\n', at), toml.size()) : at + 1;
}

bool ends_key(char c) {
    return std::string_view("=,\n[]{}").find(c) != std::string_view::npos;
}

Objection objection(std::string_view toml, std::size_t at, std::string message) {
    const std::string_view before = toml.substr(0, at);
    const std::size_t line_start = before.rfind('\n') + 1; // npos + 1 is 0
    return {1 + static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')),
            1 + static_cast<std::uint32_t>(at - line_start), std::move(message)};
}

} // namespace

std::optional<Objection> precheck(std::string_view toml) {
    std::size_t dots = 0;
    std::size_t end = toml.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (std::size_t at = end; at < toml.size(); at = end) {
        end = end_of_token(toml, at);
        const std::string_view token = toml.substr(at, end - at);
        const auto* const odd = std::find_if_not(token.begin(), token.end(), is_ascii);
        if (toml[at] != '#' && odd != token.end())
            return objection(toml, at + static_cast<std::size_t>(odd - token.begin()),
                             "a character outside of ASCII; only comments may have one");
        if (toml[at] == '.')
            ++dots;
        else if (ends_key(toml[at]))
            dots = 0;
        if (dots > kMaxKeyDots)
            return objection(toml, at, fmt::format("a key with more than {} dots", kMaxKeyDots));
    }
    return std::nullopt;
}

} // namespace ballast
