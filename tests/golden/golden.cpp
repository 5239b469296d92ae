// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/golden.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "tests/harness/check.h"
#include "tests/harness/process.h"

namespace ballast::test {

namespace {

/// The first line that is not the same, for cmocka cuts long messages off.
std::string first_difference(const std::string& wanted, const std::string& got) {
    std::istringstream wanted_lines(wanted);
    std::istringstream got_lines(got);
    for (int number = 1;; ++number) {
        std::string a;
        std::string b;
        const bool more_wanted = static_cast<bool>(std::getline(wanted_lines, a));
        const bool more_got = static_cast<bool>(std::getline(got_lines, b));
        if (!more_wanted && !more_got)
            return "the last line's end";
        if (more_wanted != more_got || a != b)
            return fmt::format("line {}\n  wanted: {}\n  got:    {}", number,
                               more_wanted ? a : "(end)", more_got ? b : "(end)");
    }
}

} // namespace

void check_golden(const std::string& name, const std::string& got) {
    if (const char* directory = std::getenv("BALLAST_GOLDEN_WRITE"); directory != nullptr) {
        write_file(fmt::format("{}/{}.txt", directory, name), got);
        return;
    }
    const std::string wanted = read_file(golden_dir() + "/expected/" + name + ".txt");
    if (got != wanted)
        fail_test(fmt::format("{}.txt differs at {}\n(run with BALLAST_GOLDEN_WRITE=DIRECTORY to "
                              "write what it prints now)",
                              name, first_difference(wanted, got)));
}

std::string golden_dir() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "golden";
}

} // namespace ballast::test
