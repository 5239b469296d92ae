// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/doubts.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "daemon/kernel/cgroup.h"
#include "daemon/model/from_pattern.h"
#include "daemon/resolve/resolver.h"
#include "daemon/util/quote.h"

namespace ballast::policy {

namespace {

/// Comparisons of an element with a cgroup: a few hundred milliseconds in all.
constexpr std::size_t max_comparisons = 500'000;

/// A cgroup removed while its parent is read ends a walk.
constexpr int max_walks = 3;

/// The paths of all cgroups below the mount, "/a/b", at most `max` and one more.
Result<std::vector<std::string>> cgroup_paths(std::size_t max) {
    namespace fs = std::filesystem;
    const auto mount = kernel::cgroup2_mount();
    if (!mount)
        return fail(mount.error());
    std::vector<std::string> paths{"/"};
    std::error_code error;
    fs::recursive_directory_iterator entry(*mount, fs::directory_options::skip_permission_denied,
                                           error);
    for (; !error && entry != fs::end(entry) && paths.size() <= max; entry.increment(error)) {
        std::error_code gone; // since it was listed
        if (entry->is_directory(gone))
            paths.push_back(entry->path().native().substr(mount->size()));
    }
    if (error)
        return fail(Error::system(fmt::format("read the cgroups below {}", *mount), error.value()));
    return paths;
}

} // namespace

ProblemList unmatched_from(const std::vector<Placed<std::string>>& from,
                           const std::vector<std::string>& cgroups) {
    ProblemList doubts;
    std::map<std::string_view, bool> known;
    for (const auto& [pattern, place] : from) {
        const auto [matches, is_new] = known.try_emplace(pattern, false);
        if (is_new)
            matches->second = std::ranges::any_of(
                cgroups, [&, &p = pattern](const std::string& c) { return from_matches(p, c); });
        if (!matches->second)
            doubts.add(place, "service.from",
                       fmt::format("{} matches no cgroup at present; it will hold for those that "
                                   "appear later",
                                   in_quotes(std::string_view(pattern))));
    }
    return doubts;
}

ProblemList find_unmatched_from(const std::vector<Placed<std::string>>& from) {
    if (from.empty())
        return {};
    std::set<std::string_view> distinct;
    for (const auto& placed : from)
        distinct.insert(placed.value);
    const std::size_t most = max_comparisons / distinct.size();
    ProblemList doubts;
    auto cgroups = cgroup_paths(most);
    for (int again = 1; again < max_walks && !cgroups; ++again)
        cgroups = cgroup_paths(most);
    if (cgroups && cgroups->size() <= most)
        return unmatched_from(from, *cgroups);
    doubts.add(from.front().place, "service.from",
               fmt::format("not compared with the cgroups that there are: {}",
                           cgroups ? fmt::format("more than {}", most) : cgroups.error().text()));
    return doubts;
}

ProblemList unresolved(const std::vector<Placed<NamedTarget>>& names,
                       const std::vector<Lookup>& lookups) {
    std::map<std::string_view, std::string_view> errors;
    for (const Lookup& lookup : lookups)
        errors[lookup.host] = lookup.error;
    ProblemList doubts;
    for (const auto& [name, place] : names)
        if (const auto error = errors[name.host]; !error.empty())
            doubts.add(place, "service.to",
                       fmt::format("\"{}\" does not resolve at present: {}; its addresses will be "
                                   "governed once it does",
                                   name.text(), error));
    return doubts;
}

ProblemList find_unresolved(const std::vector<Placed<NamedTarget>>& names) {
    std::set<std::string> hosts;
    for (const auto& placed : names)
        hosts.insert(placed.value.host);
    if (hosts.empty())
        return {};
    const auto found = look_up_all({hosts.begin(), hosts.end()}, longest_lookups);
    if (found)
        return unresolved(names, *found);
    ProblemList doubts;
    doubts.add(names.front().place, "service.to",
               fmt::format("not looked up: {}", found.error().text()));
    return doubts;
}

} // namespace ballast::policy
