// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/options.h"

#include "daemon/app/version.h"

namespace ballast::app {

namespace {

std::vector<Parameter> daemon_parameters() {
    const Options usual;
    return {
        {.name = "--config",
         .help = "Policy file; drop-ins are in policy.d beside it",
         .fallback = usual.config,
         .completes = Completes::files},
        {.name = "--bpffs",
         .help = "Directory of the pins, inside a bpffs",
         .fallback = usual.bpffs_dir,
         .completes = Completes::directories},
        {.name = "--cgroup",
         .help = "Govern only this subtree of the cgroup v2 hierarchy; default: all of it",
         .completes = Completes::directories},
        {.name = "--runtime-dir",
         .help = "Directory of the API's sockets",
         .fallback = usual.runtime_dir,
         .completes = Completes::directories},
        {.name = "--state-dir",
         .help = "Directory of what outlives a restart",
         .fallback = usual.state_dir,
         .completes = Completes::directories},
        {.name = "--log-level",
         .help = "Least severe message that is logged",
         .takes = Takes::word,
         .words = {"debug", "info", "warning", "error"},
         .fallback = usual.log_level},
        {.name = "--check",
         .help = "Validate the policy, say what is wrong, and exit",
         .takes = Takes::nothing},
    };
}

Options options_of(const Arguments& args) {
    return {.config = args.text("--config"),
            .bpffs_dir = args.text("--bpffs"),
            .cgroup = args.text("--cgroup"),
            .runtime_dir = args.text("--runtime-dir"),
            .state_dir = args.text("--state-dir"),
            .log_level = args.text("--log-level"),
            .check = args.has("--check")};
}

} // namespace

Program program(int (*run)(const Options&)) {
    return {
        {.name = "ballastd",
         .summary = "Keeps this host's TCP connections steady: caps connections per destination.",
         .parameters = daemon_parameters(),
         .run = [run](const Arguments& args) { return run(options_of(args)); }},
        version(),
        ""};
}

} // namespace ballast::app
