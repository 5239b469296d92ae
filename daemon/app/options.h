// SPDX-License-Identifier: Apache-2.0
// ballastd's command-line options.
#pragma once

#include <string>

#include "daemon/util/command_line.h"

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

/// ballastd's command line; `run` is called with what was parsed and returns the exit code.
Program program(int (*run)(const Options&));

} // namespace ballast::app
