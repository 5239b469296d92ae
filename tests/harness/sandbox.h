// SPDX-License-Identifier: Apache-2.0
// The names and places of one test executable. Everything that outlives a process (directories,
// cgroups, pins, mounts) is named after run_name(), so the supervisor can find and remove it.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace ballast::test {

/// "ballast-test-PID" with the supervisor's pid.
const std::string& run_name();

/// A name that no other object of this executable has, starting with run_name().
std::string unique_name();

/// From here on this process, a child of the supervised one, makes names that none of its siblings
/// makes; `branch` is its own among them.
void branch_names(unsigned branch);

/// A new directory of mode 0755 for the running executable; removed at its end.
std::string make_temp_dir();

/// The staged executable of that name ("ballastd", "ballast").
std::string staged_binary(const std::string& name);

/// A bpffs: /sys/fs/bpf where that is one, else one mounted for this executable.
const std::string& bpffs_mount();

/// `base` times BALLAST_TEST_SCALE: how long to wait before giving up; never a pass criterion.
std::chrono::milliseconds patience(std::chrono::milliseconds base = std::chrono::seconds(15));

/// Runs `body` in a child and returns its exit status, or 128 + signal; then removes all that is
/// named after run_name(). SIGTERM and SIGINT end the child first.
int supervise(const std::function<int()>& body);

} // namespace ballast::test
