// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <memory>

#include "cli/client.h"
#include "cli/http.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/model/names.h"

namespace ballast::cli {
namespace {

struct Args {
    std::string target;
    std::uint32_t max_connections = 0;
    std::string mode;
    std::string on_limit;
};

Json body_of(const Args& args) {
    Json body = Json::object();
    if (args.max_connections != 0)
        body["max_connections"] = args.max_connections;
    if (!args.mode.empty())
        body["mode"] = args.mode;
    if (!args.on_limit.empty())
        body["on_limit"] = args.on_limit;
    return body;
}

int run(const Call& call, const Args& args) {
    const Json body = body_of(args);
    if (body.empty())
        return report(
            {exit_usage,
             Error("nothing to set for " + args.target).hint("give --max, --mode or --on-limit")});
    const auto document =
        Client(call.runtime_dir).write("PUT", "/v1/limits/" + percent_encode(args.target), body);
    return document ? show(call, override_view(*document)) : report(document.error());
}

template <std::size_t N>
CLI::IsMember one_of(const std::array<std::string_view, N>& names) {
    return CLI::IsMember(std::vector<std::string>(names.begin(), names.end()));
}

} // namespace

void add_limit_set(CLI::App& limit, Call& call) {
    auto args = std::make_shared<Args>();
    auto* verb = limit.add_subcommand("set", "Override the limits of a service or an endpoint");
    verb->add_option("TARGET", args->target, "A service's name, or ADDRESS:PORT")->required();
    verb->add_option("--max", args->max_connections, "Connections per destination")
        ->check(CLI::Range(std::uint32_t{1}, kMaxConnections));
    verb->add_option("--mode", args->mode, "What the limit may do")->check(one_of(kModeNames));
    verb->add_option("--on-limit", args->on_limit, "What a refused connect() sees")
        ->check(one_of(kOnLimitNames));
    verb->callback([&call, args] { call.exit_code = run(call, *args); });
}

} // namespace ballast::cli
