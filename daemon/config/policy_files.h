// SPDX-License-Identifier: Apache-2.0
// Reads the policy from disk: a main file and the drop-ins of the directory beside it.
#pragma once

#include <cstddef>
#include <filesystem>

#include "daemon/config/policy_parser.h"

namespace ballast {

inline constexpr const char* kDefaultPolicyFile = "/etc/ballast/policy.toml";
inline constexpr std::size_t kMaxPolicyBytes = 2UL * 1024 * 1024; ///< of all files together
inline constexpr std::size_t kMaxDropIns = 256;

/// The directory of drop-ins of "policy.toml": "policy.d" beside it.
std::filesystem::path drop_in_directory(const std::filesystem::path& main_file);

/// Reads and checks `main_file`, then `*.toml` of its drop-in directory in lexical (byte) order;
/// names that begin with a dot are passed over. Main file and directory may be absent. A file that
/// cannot be read, is not a regular file or is too big is an error of the report like any other.
PolicyReport check_policy(const std::filesystem::path& main_file);

/// check_policy() for those who only want the policy: the error's text is one problem a line.
Result<Policy> load_policy(const std::filesystem::path& main_file);

} // namespace ballast
