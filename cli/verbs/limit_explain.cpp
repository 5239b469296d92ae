// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

/// A cgroup's path below the root of the hierarchy. A name without a slash is a unit, placed where
/// systemd puts system units.
std::string cgroup_path(std::string from) {
    constexpr std::string_view mount = "/sys/fs/cgroup";
    if (from.find('/') == std::string::npos)
        return "/system.slice/" + from;
    if (from == mount || from.starts_with(std::string(mount) + '/'))
        from.erase(0, mount.size());
    while (from.ends_with('/'))
        from.pop_back();
    return from.empty() ? "/" : from;
}

int run_explain(const Arguments& args) {
    const std::string destination = args.text("DEST");
    Client::Query query = limit_query(args);
    query.emplace_back("destination", destination);
    if (args.has("--from"))
        query.emplace_back("from", cgroup_path(args.text("--from")));
    return show_narrowed(
        args, client_of(args).get("/v1/explain", query), destination,
        [](const Json& document, const std::string&) { return explain_view(document); });
}

} // namespace

Command limit_explain_verb() {
    return {.name = "explain",
            .summary = "Which service governs a destination, and why",
            .parameters = {destination_parameter("DEST", "ADDRESS:PORT"),
                           {.name = "--from",
                            .help = "The consumer: a cgroup's path, or a unit of the system "
                                    "(orders.service)"},
                           limit_parameter()},
            .run = run_explain};
}

} // namespace ballast::cli
