// SPDX-License-Identifier: Apache-2.0
// What ballastd was asked to do on its command line.
#pragma once

#include <optional>
#include <string>

namespace ballast::app {

struct Options {
    std::string config = "/etc/ballast/policy.toml";
    std::string bpffs_dir = "/sys/fs/bpf/ballast";
    std::string cgroup; ///< empty: the root of the cgroup v2 hierarchy
    std::string runtime_dir = "/run/ballast";
    std::string state_dir = "/var/lib/ballast";
    std::string log_level = "info";
    bool check = false; ///< only validate the configuration
};

/// Parses the command line. An exit code where the process is done: help, version or a bad option.
std::optional<int> parse_options(int argc, char** argv, Options& options);

} // namespace ballast::app
