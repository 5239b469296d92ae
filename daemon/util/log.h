// SPDX-License-Identifier: Apache-2.0
// The daemon's log: the journal when systemd connected our stderr to it, else stderr. Only log.cpp
// knows the library behind it (spdlog).
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace ballast {

/// `level` is one of debug, info, warning, error.
void start_log(const std::string& level);

namespace log {

enum class Level { debug, info, warning, error, critical };

/// Whether a message of that level would be written.
bool is_on(Level level);
void write(Level level, std::string_view message);

template <typename... Args>
void write(Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (is_on(level))
        write(level, std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::debug, format, std::forward<Args>(args)...);
}

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, format, std::forward<Args>(args)...);
}

template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::warning, format, std::forward<Args>(args)...);
}

template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::error, format, std::forward<Args>(args)...);
}

template <typename... Args>
void critical(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::critical, format, std::forward<Args>(args)...);
}

} // namespace log

} // namespace ballast
