// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the accepted word nearest to what was written.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ballast {

/// `; did you mean "max_connections"?` if some word is at most two edits away (a letter more, less
/// or another) and fewer than it has letters; otherwise empty.
std::string did_you_mean(std::string_view written, std::span<const std::string_view> words);

/// "off, observe, enforce".
std::string listed(std::span<const std::string_view> words);

} // namespace ballast
