// SPDX-License-Identifier: Apache-2.0
// Refuses, before toml++ 3.3 sees it, text that this parser cannot be trusted with.
// - It limits nested values but not the depth of dotted keys, and frees nested tables by recursion:
//   a long enough "a.a.a..." overflows the stack.
// - Its tests for blanks have no defined result for most letters outside of ASCII
//   (is_non_ascii_horizontal_whitespace() runs into __builtin_unreachable() for U+00E9). No key and
//   no value of a policy needs one, so only comments may have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ballast {

/// With the 256 nested values that toml++ accepts this keeps a document below 5,000 levels; a stack
/// of 8 MiB holds more than 16,000 (measured).
inline constexpr std::size_t kMaxKeyDots = 16;

struct Objection {
    std::uint32_t line; ///< both from 1
    std::uint32_t column;
    std::string message;
};

/// The first key with more than kMaxKeyDots dots or byte outside of ASCII; none if all is well.
/// Text that is not TOML may pass up to the first syntax error, where toml++ stops.
std::optional<Objection> precheck(std::string_view toml);

} // namespace ballast
