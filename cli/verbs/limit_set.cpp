// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <memory>

#include "cli/client.h"
#include "cli/http.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/model/names.h"
#include "daemon/model/override.h"
#include "daemon/util/duration.h"

namespace ballast::cli {
namespace {

struct Args {
    std::string target;
    std::uint32_t max_connections = 0;
    std::uint32_t max_connections_total = 0;
    std::uint32_t max_per_consumer = 0;
    std::uint32_t max_connect_rate = 0;
    std::uint32_t burst = 0;
    std::string mode;
    std::string on_limit;
    std::string lasts;
};

constexpr DurationRange kLasts{kMinOverride, kMaxOverride};

Json body_of(const Args& args) {
    Json body = Json::object();
    const auto add = [&](const char* key, std::uint32_t limit) {
        if (limit != 0)
            body[key] = limit;
    };
    add("max_connections", args.max_connections);
    add("max_connections_total", args.max_connections_total);
    add("max_per_consumer", args.max_per_consumer);
    add("max_connect_rate", args.max_connect_rate);
    add("burst", args.burst);
    if (!args.mode.empty())
        body["mode"] = args.mode;
    if (!args.on_limit.empty())
        body["on_limit"] = args.on_limit;
    return body;
}

int run(const Call& call, const Args& args) {
    Json body = body_of(args);
    if (body.empty())
        return report({exit_usage, Error("nothing to set for " + args.target)
                                       .hint("give a limit (--max, --total, --per-consumer, "
                                             "--rate, --burst), --mode or --on-limit")});
    if (!args.lasts.empty()) {
        const auto lasts = parse_duration(args.lasts, kLasts);
        if (!lasts)
            return report(
                {exit_usage, lasts.error().context("--for").hint("as in 90s, 30m or 2h")});
        body["lasts_ms"] = lasts->count();
    }
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
    const auto add_limit = [&](const char* name, std::uint32_t& into, const char* what,
                               std::uint32_t max) {
        verb->add_option(name, into, what)->check(CLI::Range(std::uint32_t{1}, max));
    };
    add_limit("--max", args->max_connections, "Connections per destination", kMaxConnections);
    add_limit("--total", args->max_connections_total, "Connections to all destinations together",
              kMaxConnections);
    add_limit("--per-consumer", args->max_per_consumer,
              "Connections of one consumer to each destination", kMaxConnections);
    add_limit("--rate", args->max_connect_rate, "Connects per second to each destination",
              kMaxConnectRate);
    add_limit("--burst", args->burst, "Of those, how many may come at once", kMaxConnectRate);
    verb->add_option("--mode", args->mode, "What the limit may do")->check(one_of(kModeNames));
    verb->add_option("--on-limit", args->on_limit, "What a refused connect() sees")
        ->check(one_of(kOnLimitNames));
    verb->add_option("--for", args->lasts, "How long (90s, 30m, 2h); without it, until unset");
    verb->callback([&call, args] { call.exit_code = run(call, *args); });
}

} // namespace ballast::cli
