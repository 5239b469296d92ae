// SPDX-License-Identifier: Apache-2.0
#include "cli/format.h"

#include <fmt/format.h>

#include "cli/human.h"

namespace ballast::cli {
namespace {

constexpr std::size_t kShownItems = 3;

} // namespace

std::string format_text(const Json& value) {
    return harmless(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string format_count(const Json& value) {
    return value.dump();
}

std::string format_nonzero(const Json& value) {
    return value == 0 ? "-" : value.dump();
}

std::string format_ms(const Json& value) {
    return human_ms(value.get<std::int64_t>());
}

std::string format_us(const Json& value) {
    return human_us(value.get<std::int64_t>());
}

std::string format_list(const Json& value) {
    std::string text;
    for (std::size_t i = 0; i < value.size() && i < kShownItems; ++i)
        text += fmt::format("{}{}", i == 0 ? "" : ", ", format_text(value.at(i)));
    if (value.size() > kShownItems)
        text += fmt::format(", and {} more", value.size() - kShownItems);
    return text;
}

std::string format_yes(const Json& value) {
    return value.get<bool>() ? "yes" : "-";
}

std::string format_time(const Json& value) {
    std::string text = format_text(value);
    const std::size_t fraction = text.find('.');
    if (fraction == std::string::npos)
        return text;
    text.replace(fraction, text.size() - fraction, "Z");
    text.replace(text.find('T'), 1, " ");
    return text;
}

} // namespace ballast::cli
