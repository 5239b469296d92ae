// SPDX-License-Identifier: Apache-2.0
#include "daemon/model/from_pattern.h"

#include <algorithm>
#include <array>

#include "bpf/lib/glob.h"
#include "daemon/model/policy.h"
#include "daemon/util/quote.h"

namespace ballast {

static_assert(kMaxFromLength == BALLAST_FROM_LENGTH - 1);

namespace {

constexpr const char* kWanted =
    "wanted a unit name such as \"app-*.service\" or a cgroup path such as \"/system.slice/app-*\"";

Result<void> refuse(std::string_view pattern, std::string_view why) {
    return fail(Error(fmt::format("{} {}; {}", in_quotes(pattern), why, kWanted)));
}

bool is_printable_char(char c) {
    return c >= ' ' && c <= '~';
}

bool is_component(std::string_view text) {
    return !text.empty() && text != "." && text != "..";
}

/// `path` without its first "/".
bool has_only_components(std::string_view path) {
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/')) {
        if (!is_component(path.substr(0, slash)))
            return false;
        path.remove_prefix(slash + 1);
    }
    return is_component(path);
}

/// The part of a path that programs see.
std::string_view seen(std::string_view path) {
    if (path.size() < BALLAST_CGROUP_PATH)
        return path;
    return path.substr(0, path.rfind('/', BALLAST_CGROUP_PATH - 1));
}

} // namespace

Result<void> check_from(std::string_view pattern) {
    if (pattern.empty())
        return refuse(pattern, "names nobody");
    if (pattern.size() > kMaxFromLength)
        return refuse(pattern, fmt::format("has {} characters, more than {}", pattern.size(),
                                           kMaxFromLength));
    if (!std::ranges::all_of(pattern, is_printable_char))
        return refuse(pattern, "has a character that is not printable");
    if (pattern.find('[') != std::string_view::npos)
        return refuse(pattern, "has \"[\"; only * and ? stand for other characters");
    const bool path = pattern.starts_with('/');
    if (!path && pattern.find('/') != std::string_view::npos)
        return refuse(pattern, "has a \"/\" but does not begin with one");
    if (pattern != "/" && !has_only_components(pattern.substr(path ? 1 : 0)))
        return refuse(pattern, "has an empty part, \".\" or \"..\"");
    return {};
}

bool from_matches(std::string_view pattern, std::string_view cgroup_path) {
    std::array<char, BALLAST_FROM_LENGTH> pattern_text{};
    std::array<char, BALLAST_CGROUP_PATH> path_text{};
    if (pattern.size() > kMaxFromLength)
        return false;
    std::ranges::copy(pattern, pattern_text.begin());
    std::ranges::copy(seen(cgroup_path), path_text.begin());
    const ballast_globbed of{.pattern = pattern_text.data(), .path = path_text.data()};
    ballast_glob glob{};
    auto result = ballast_glob_begin(&glob, &of);
    for (int i = 0; i < BALLAST_GLOB_STEPS && result == BALLAST_GLOB_UNDECIDED; ++i)
        result = ballast_glob_step(&glob, &of);
    return result == BALLAST_GLOB_MATCH;
}

} // namespace ballast
