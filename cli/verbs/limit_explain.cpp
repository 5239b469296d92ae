// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/client.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"

namespace ballast::cli {
namespace {

struct Args {
    std::string destination;
    std::string from;
    std::size_t limit = kDefaultLimit;
};

/// A cgroup's path below the root of the hierarchy. What has no slash is a unit where systemd puts
/// those of the system.
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

int run(const Call& call, const Args& args) {
    Client::Query query{{"destination", args.destination}, {"limit", std::to_string(args.limit)}};
    if (!args.from.empty())
        query.emplace_back("from", cgroup_path(args.from));
    const auto document = Client(call.runtime_dir).get("/v1/explain", query);
    if (!document)
        return report(document.error());
    const int shown = show(call, explain_view(*document));
    return shown == exit_ok && document->at("total") == 0 ? exit_not_found : shown;
}

} // namespace

void add_limit_explain(CLI::App& limit, Call& call) {
    auto args = std::make_shared<Args>();
    auto* verb = limit.add_subcommand("explain", "Which service governs a destination, and why");
    verb->add_option("DEST", args->destination, "ADDRESS:PORT")->required();
    verb->add_option("--from", args->from,
                     "The consumer: a cgroup's path, or a unit of the system (orders.service)");
    add_list_limit(*verb, args->limit);
    verb->callback([&call, args] { call.exit_code = run(call, *args); });
}

} // namespace ballast::cli
