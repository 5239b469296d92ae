// SPDX-License-Identifier: Apache-2.0
#include <exception>

#include "cli/verbs/verbs.h"

namespace {

using namespace ballast::cli;

constexpr const char* kFooter =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 daemon not reachable, 4 not found,\n"
    "5 a needed kernel feature is missing, 130 interrupted.";

void add_globals(CLI::App& app, Call& call) {
    app.set_version_flag("--version", "ballast " BALLAST_VERSION);
    app.add_flag("--json", call.json, "Print the document instead of text");
    app.add_option("--runtime-dir", call.runtime_dir, "Where the daemon's sockets are")
        ->envname("BALLAST_RUNTIME_DIR")
        ->default_val("/run/ballast");
    app.add_option("--bpffs", call.bpffs, "Where programs and maps are pinned")
        ->envname("BALLAST_BPFFS")
        ->default_val("/sys/fs/bpf/ballast");
    app.add_option("--cgroup", call.cgroup,
                   "check: where the programs would be attached (default: the root)");
}

void add_verbs(CLI::App& app, Call& call) {
    app.require_subcommand(1);
    add_status(app, call);
    add_health(app, call);
    add_flows(app, call);
    auto* limit = app.add_subcommand("limit", "Connection limits: set, unset, list, explain");
    limit->require_subcommand(1);
    add_limit_set(*limit, call);
    add_limit_unset(*limit, call);
    add_limit_list(*limit, call);
    add_limit_explain(*limit, call);
    auto* breaker = app.add_subcommand("breaker", "Circuit breakers: list, open, close, auto");
    breaker->require_subcommand(1);
    add_breaker_list(*breaker, call);
    add_breaker_open(*breaker, call);
    add_breaker_close(*breaker, call);
    add_breaker_auto(*breaker, call);
    add_discover(app, call);
    add_check(app, call);
    add_arm(app, call);
    add_disarm(app, call);
    add_reload(app, call);
    add_unload(app, call);
}

std::string usage_message(const CLI::App* app, const CLI::Error& error) {
    const auto unknown = app->remaining();
    const std::string what = unknown.empty() || error.get_name() != "RequiredError"
                                 ? error.what()
                                 : fmt::format("there is no verb '{}'", unknown.front());
    return fmt::format("ballast: {}\n  ballast --help shows the verbs and options\n", what);
}

int run(int argc, char** argv) {
    CLI::App app("Keeps this host's TCP connections steady.", "ballast");
    Call call;
    app.fallthrough();
    app.footer(kFooter);
    app.failure_message(usage_message);
    add_globals(app, call);
    add_verbs(app, call);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_ok : exit_usage;
    }
    return call.exit_code;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        return report({exit_failed, ballast::Error(error.what())});
    }
}
