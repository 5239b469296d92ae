// SPDX-License-Identifier: Apache-2.0
#include "daemon/app/options.h"

#include <CLI/CLI.hpp>

#include "daemon/app/version.h"

namespace ballast::app {

std::optional<int> parse_options(int argc, char** argv, Options& options) {
    CLI::App app("Keeps this host's TCP connections steady: caps connections per destination.",
                 "ballastd");
    app.set_version_flag("--version", version());
    app.add_option("--config", options.config, "Policy file; drop-ins are in policy.d beside it")
        ->capture_default_str();
    app.add_option("--bpffs", options.bpffs_dir, "Directory of the pins, inside a bpffs")
        ->capture_default_str();
    app.add_option("--cgroup", options.cgroup,
                   "Govern only this subtree of the cgroup v2 hierarchy; default: all of it");
    app.add_option("--runtime-dir", options.runtime_dir, "Directory of the API's sockets")
        ->capture_default_str();
    app.add_option("--state-dir", options.state_dir, "Directory of what outlives a restart")
        ->capture_default_str();
    app.add_option("--log-level", options.log_level, "Least severe message that is logged")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
        ->capture_default_str();
    app.add_flag("--check", options.check, "Validate the policy, say what is wrong, and exit");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        constexpr int usage = 2;
        return app.exit(error) == 0 ? 0 : usage;
    }
    return std::nullopt;
}

} // namespace ballast::app
