// SPDX-License-Identifier: Apache-2.0
// Quotes untrusted text (files, command lines, requests) for a message of one line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ballast {

/// `text` as printable ASCII: quotes and backslashes escaped, any other byte as \xNN, and cut with
/// "..." after `max_bytes`. What it returns is safe in a log line and in JSON, whatever it was
/// given.
std::string printable(std::string_view text, std::size_t max_bytes = 80);

/// printable(), with spaces as \x20: a value of "key=value".
std::string one_word(std::string_view text, std::size_t max_bytes = 1'024);

/// printable() in double quotes.
std::string in_quotes(std::string_view text);

} // namespace ballast
