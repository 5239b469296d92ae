// SPDX-License-Identifier: Apache-2.0
// open, close and auto: what a person wants of a breaker over its head.
#include <memory>

#include "cli/client.h"
#include "cli/http.h"
#include "cli/verbs/verbs.h"
#include "cli/views/views.h"
#include "daemon/util/duration.h"

namespace ballast::cli {
namespace {

constexpr DurationRange kLasts{std::chrono::seconds(1), std::chrono::hours(24 * 365)};

struct Args {
    std::string destination;
    std::string reason;
    std::string lasts;
};

int order(const Call& call, const Args& args, const std::string& method, const Json& body) {
    const auto document =
        Client(call.runtime_dir)
            .write(method, "/v1/breakers/" + percent_encode(args.destination), body);
    return document ? show(call, breaker_order_view(*document)) : report(document.error());
}

int force(const Call& call, const Args& args, const std::string& to) {
    Json body{{"force", to}};
    if (!args.reason.empty())
        body["reason"] = args.reason;
    if (!args.lasts.empty()) {
        const auto lasts = parse_duration(args.lasts, kLasts);
        if (!lasts)
            return report(
                {exit_usage, lasts.error().context("--for").hint("as in 90s, 30m or 2h")});
        body["lasts_ms"] = lasts->count();
    }
    return order(call, args, "PUT", body);
}

CLI::App* add_verb(CLI::App& breaker, const char* name, const char* what, Args& args) {
    auto* verb = breaker.add_subcommand(name, what);
    verb->add_option("DEST", args.destination, "ADDRESS:PORT, as `breaker list` shows it")
        ->required();
    return verb;
}

void add_force(CLI::App& breaker, Call& call, const char* name, const char* what, const char* to) {
    auto args = std::make_shared<Args>();
    auto* verb = add_verb(breaker, name, what, *args);
    verb->add_option("--reason", args->reason, "Why, for those who find it; at most 95 bytes");
    verb->add_option("--for", args->lasts, "How long (90s, 30m, 2h); without it, until auto");
    verb->callback([&call, args, to] { call.exit_code = force(call, *args, to); });
}

} // namespace

void add_breaker_open(CLI::App& breaker, Call& call) {
    add_force(breaker, call, "open", "Refuse every connect to a destination", "open");
}

void add_breaker_close(CLI::App& breaker, Call& call) {
    add_force(breaker, call, "close", "Let connects pass, whatever fails", "closed");
}

void add_breaker_auto(CLI::App& breaker, Call& call) {
    auto args = std::make_shared<Args>();
    auto* verb =
        add_verb(breaker, "auto", "Undo open and close: the breaker decides itself", *args);
    verb->callback([&call, args] { call.exit_code = order(call, *args, "DELETE", nullptr); });
}

} // namespace ballast::cli
