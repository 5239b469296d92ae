// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/http.h"
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/model/names.h"
#include "daemon/model/override.h"

namespace ballast::cli {
namespace {

constexpr DurationRange kOverrideLasts{kMinOverride, kMaxOverride};

/// An option that sets a limit, and its key in the API.
struct LimitOption {
    const char* name;
    const char* key;
    const char* help;
    std::uint32_t most;
};

constexpr std::array<LimitOption, 5> kLimitOptions{{
    {"--max", "max_connections", "Connections per destination", kMaxConnections},
    {"--total", "max_connections_total", "Connections to all destinations together",
     kMaxConnections},
    {"--per-consumer", "max_per_consumer", "Connections of one consumer to each destination",
     kMaxConnections},
    {"--rate", "max_connect_rate", "Connects per second to each destination", kMaxConnectRate},
    {"--burst", "burst", "Of those, how many may come at once", kMaxConnectRate},
}};

template <std::size_t N>
std::vector<std::string> words_of(const std::array<std::string_view, N>& names) {
    return {names.begin(), names.end()};
}

std::vector<Parameter> set_parameters() {
    std::vector<Parameter> all{{.name = "TARGET",
                                .help = "A service's name, or ADDRESS:PORT",
                                .completes = Completes::targets,
                                .is_required = true}};
    for (const LimitOption& option : kLimitOptions)
        all.push_back({.name = option.name,
                       .help = option.help,
                       .takes = Takes::number,
                       .least = 1,
                       .most = option.most});
    all.push_back({.name = "--mode",
                   .help = "What the limit may do",
                   .takes = Takes::word,
                   .words = words_of(kModeNames)});
    all.push_back({.name = "--on-limit",
                   .help = "What a refused connect() sees",
                   .takes = Takes::word,
                   .words = words_of(kOnLimitNames)});
    all.push_back(lasts_parameter("unset"));
    return all;
}

Json override_body(const Arguments& args) {
    Json body = Json::object();
    for (const LimitOption& option : kLimitOptions)
        if (args.has(option.name))
            body[option.key] = args.number(option.name);
    if (args.has("--mode"))
        body["mode"] = args.text("--mode");
    if (args.has("--on-limit"))
        body["on_limit"] = args.text("--on-limit");
    return body;
}

int run_set(const Arguments& args) {
    const std::string target = args.text("TARGET");
    Json body = override_body(args);
    if (body.empty())
        return report({exit_usage, Error("nothing to set for " + target)
                                       .hint("give a limit (--max, --total, --per-consumer, "
                                             "--rate, --burst), --mode or --on-limit")});
    const auto lasts = lasts_ms(args, kOverrideLasts);
    if (!lasts)
        return report(lasts.error());
    if (*lasts != 0)
        body["lasts_ms"] = *lasts;
    const std::string path = "/v1/limits/" + percent_encode(target);
    return show_or_report(args, client_of(args).write("PUT", path, body), override_view);
}

} // namespace

Command limit_set_verb() {
    return {.name = "set",
            .summary = "Override the limits of a service or an endpoint",
            .parameters = set_parameters(),
            .run = run_set};
}

} // namespace ballast::cli
