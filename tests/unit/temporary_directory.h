// SPDX-License-Identifier: Apache-2.0
// A directory for the files of each case, gone afterwards also if an assert ended the process
// (CMOCKA_TEST_ABORT): the cases run in a child, the parent cleans up.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace ballast::test {

/// Of the case that runs; made and removed by the two functions below.
inline std::filesystem::path directory;

inline std::filesystem::path root_of_directories;

/// Set-up and tear-down for cmocka_unit_test_setup_teardown().
inline int make_directory(void**) {
    directory = root_of_directories / "case";
    return std::filesystem::create_directory(directory) ? 0 : -1;
}

inline int remove_directory(void**) {
    return std::filesystem::remove_all(directory) > 0 ? 0 : -1;
}

/// Calls `run` in a child process; returns what it returned, or 128 and the signal that ended it.
inline int run_with_directories(int (*run)()) {
    std::string name = std::filesystem::temp_directory_path() / "ballast-unit-XXXXXX";
    if (mkdtemp(name.data()) == nullptr)
        return 1;
    root_of_directories = name;
    const pid_t child = fork();
    if (child == 0)
        std::exit(run());
    int status = 0;
    const bool ended = child > 0 && waitpid(child, &status, 0) == child;
    std::filesystem::remove_all(root_of_directories);
    if (!ended)
        return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace ballast::test

#define BALLAST_CASE(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, ballast::test::make_directory,                       \
                                    ballast::test::remove_directory)
