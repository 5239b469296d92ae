// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/entry_parts.h"

#include <fmt/format.h>

#include "daemon/model/policy.h"
#include "daemon/util/quote.h"

namespace ballast {
namespace {

constexpr std::string_view kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "abcdefghijklmnopqrstuvwxyz"
                                             "0123456789._-";

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxServiceName &&
           text.find_first_not_of(kNameCharacters) == std::string_view::npos;
}

} // namespace

std::string read_name(const TableReader& reader, std::string_view what) {
    if (!reader.has("name")) {
        reader.problem("name", fmt::format("missing; every {} needs a name", what));
        return {};
    }
    const auto name = reader.string("name");
    if (!name || is_name(*name))
        return name.value_or("");
    reader.problem("name", fmt::format("{} is not a name; wanted 1 to {} of A-Z a-z 0-9 . _ -",
                                       in_quotes(*name), kMaxServiceName));
    return {};
}

} // namespace ballast
