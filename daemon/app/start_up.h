// SPDX-License-Identifier: Apache-2.0
// What a start needs to know of the host and its directories.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/app/options.h"
#include "daemon/util/error.h"

namespace ballast::app {

/// As `uname -r` prints it.
std::string kernel_release();

/// With its parents; no error if it exists.
Result<void> make_directory(const std::string& path);

/// The file for state that survives a restart.
std::filesystem::path store_file(const Options& options);

/// Names what this kernel lacks, before the loader fails with an unreadable reason.
Error why_not_loaded(const Error& load_error, const std::string& cgroup);

} // namespace ballast::app
