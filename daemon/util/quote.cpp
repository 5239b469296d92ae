// SPDX-License-Identifier: Apache-2.0
#include "daemon/util/quote.h"

#include <fmt/format.h>

namespace ballast {
namespace {

bool is_printable(char byte) {
    return byte >= 0x20 && byte < 0x7f;
}

} // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
    std::string out;
    for (const char byte : text.substr(0, max_bytes)) {
        if (!is_printable(byte)) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
            continue;
        }
        if (byte == '"' || byte == '\\')
            out += '\\';
        out += byte;
    }
    if (text.size() > max_bytes)
        out += "...";
    return out;
}

std::string one_word(std::string_view text, std::size_t max_bytes) {
    std::string word;
    for (const char byte : printable(text, max_bytes))
        word += byte == ' ' ? std::string("\\x20") : std::string(1, byte);
    return word;
}

std::string in_quotes(std::string_view text) {
    return fmt::format("\"{}\"", printable(text));
}

} // namespace ballast
