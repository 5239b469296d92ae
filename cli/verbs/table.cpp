// SPDX-License-Identifier: Apache-2.0
// Every verb of `ballast`, in the order in which help and manual page list them.
#include "cli/exit_code.h"
#include "cli/verbs/shared.h"
#include "cli/verbs/verbs.h"

namespace ballast::cli {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 daemon not reachable, 4 not found,\n"
    "5 a needed kernel feature is missing, 130 interrupted.";

std::vector<Parameter> global_options() {
    return {
        {.name = "--json", .help = "Print the document instead of text", .takes = Takes::nothing},
        {.name = "--runtime-dir",
         .help = "Where the daemon's sockets are",
         .fallback = "/run/ballast",
         .environment = "BALLAST_RUNTIME_DIR",
         .completes = Completes::directories},
        {.name = "--bpffs",
         .help = "Where programs and maps are pinned",
         .fallback = "/sys/fs/bpf/ballast",
         .environment = "BALLAST_BPFFS",
         .completes = Completes::directories},
        {.name = "--cgroup",
         .help = "check: where the programs would be attached (default: the root)",
         .completes = Completes::directories},
    };
}

std::vector<Command> verbs() {
    return {
        status_verb(),
        health_verb(),
        flows_verb(),
        ports_verb(),
        listeners_verb(),
        events_verb(),
        {.name = "limit",
         .summary = "Connection limits: set, unset, list, explain",
         .commands = {limit_set_verb(), limit_unset_verb(), limit_list_verb(),
                      limit_explain_verb()}},
        {.name = "breaker",
         .summary = "Circuit breakers: list, open, close, auto",
         .commands = {breaker_list_verb(), breaker_open_verb(), breaker_close_verb(),
                      breaker_auto_verb()}},
        discover_verb(),
        check_verb(),
        arm_verb(),
        disarm_verb(),
        reload_verb(),
        unload_verb(),
        complete_verb(),
    };
}

} // namespace

const Program& program() {
    static const Program whole{{.name = "ballast",
                                .summary = "Keeps this host's TCP connections steady.",
                                .parameters = global_options(),
                                .commands = verbs()},
                               "ballast " BALLAST_VERSION,
                               kFooter};
    return whole;
}

int run(int argc, char** argv) {
    try {
        return run_program(program(), argc, argv);
    } catch (const std::exception& error) {
        return report({exit_failed, Error(error.what())});
    }
}

} // namespace ballast::cli
